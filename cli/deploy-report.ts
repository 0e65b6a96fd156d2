import type { DeployCheck, ForkOutlook } from "../contract/deploy-check.js";
import { paint, print, withoutControls } from "./output.js";
import { problemLine } from "./report.js";

/** Prints what a check has found: first what breaks, as compilers write it. */
export function printCheck(check: DeployCheck): void {
  for (const { run_id, workflow_name, revision, file, line, message } of check.breaks) {
    const which = `${run_id} (${workflow_name}, revision ${revision})`;
    print(`${paint("red", "✘")} ${withoutControls(problemLine({ path: file ?? "", line, message: `${which}: ${message}` }))}`);
  }
  for (const { run_id, message } of check.unknown) print(`${paint("yellow", "–")} ${run_id}: ${withoutControls(message)}`);
  const seconds = (check.took_ms / 1_000).toFixed(1);
  const what = check.build ? `Longhaul ${check.build.version} of ${check.build.folder}` : `Revision ${check.revision}`;
  const fit = `${check.breaks.length === 0 ? "all" : "not all"} fit`;
  print(`${what}: ${check.open} open and ${check.closed} closed runs replayed in ${seconds} s, ${fit}.`);
  for (const { revision, runs } of check.stay) {
    if (revision !== check.revision) print(`${runs} open ${runs === 1 ? "run stays" : "runs stay"} on revision ${revision}.`);
  }
  if (check.stay.some(({ revision }) => revision !== check.revision))
    print(`A run goes on with another revision as a fork alone: longhaul fork <run> --from <step> --revision ${check.revision}.`);
  for (const outlook of different(check)) print(`A fork of ${outlook.run_id} ${fate(outlook)}.`);
}

/** Forks that would not simply take over all: the others are as one expects. */
function different({ forks }: DeployCheck): ForkOutlook[] {
  return forks.filter(({ changed, perhaps, dropped }) => changed.length + perhaps.length + dropped.length > 0);
}

function fate({ reused, changed, perhaps, dropped }: ForkOutlook): string {
  const parts: [string, string[]][] = [
    ["takes over", reused],
    ["takes over as they ended, though they are other steps now,", changed],
    ["takes over, where it comes to them,", perhaps],
    ["drops", dropped],
  ];
  const said = parts.filter(([, keys]) => keys.length > 0).map(([verb, keys]) => `${verb} ${keys.join(", ")}`);
  return withoutControls(said.join("; "));
}
