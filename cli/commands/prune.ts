import type { Command } from "commander";
import { PruneReport, RetentionKind } from "../../contract/retention.js";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findProject } from "../find-project.js";
import { RUN_ARGUMENT, runId } from "../find-run.js";
import { type FormatOption, gathered, wholeNumber, withFormat } from "../options.js";
import { printJson, say, withoutControls } from "../output.js";
import { kilobytes } from "../size.js";
import { printTable } from "../table.js";
import { ago } from "../times.js";

interface PruneOptions extends FormatOption {
  dryRun?: boolean;
  yes?: boolean;
  kind?: string[];
  olderThan?: number;
  run?: string;
  project?: string;
}

/** `longhaul prune`: what has been kept long enough of runs that have ended goes. */
export function addPrune(program: Command): void {
  withFormat(program.command("prune"))
    .description("say what has been kept long enough of runs that have ended, and remove it with --yes")
    .option("--dry-run", "only say what would go, as without --yes")
    .option("--yes", "remove it")
    .option("--kind <kind>", `${RetentionKind.options.join(", ")}; may be given several times. Default all`, gathered)
    .option(
      "--older-than <days>",
      "since the run's end, instead of what the settings say (for runs only with --kind runs)",
      wholeNumber(0),
    )
    .option("--run <run>", RUN_ARGUMENT)
    .option("--project <project>", "id, name or folder")
    .action(prune);
}

async function prune({ format, dryRun = false, yes = false, kind, olderThan, run, project }: PruneOptions): Promise<void> {
  if (dryRun && yes) throw new CliError(EXIT.usage, "--dry-run removes nothing, and --yes does: say one of them.");
  const client = connect();
  const report = await client.post("/api/retention/prune", PruneReport, {
    dry_run: !yes,
    ...(kind === undefined ? {} : { kinds: kind }),
    ...(olderThan === undefined ? {} : { older_than_days: olderThan }),
    ...(run === undefined ? {} : { run_id: await runId(client, run) }),
    ...(project === undefined ? {} : { project_id: (await findProject(client, project)).id }),
  });
  if (report.items.some(({ problem }) => problem !== null)) process.exitCode = EXIT.failed;
  if (format === "json") return printJson(report);
  printReport(report);
}

function printReport({ dry_run, items, totals, kept, more }: PruneReport): void {
  if (items.length > 0) {
    printTable(items, [
      { title: "KIND", text: ({ kind }) => kind },
      { title: "RUN", text: ({ run_id }) => run_id },
      { title: "NAME", text: ({ name }) => name, shrinks: true },
      { title: "ENDED", text: ({ ended_at }) => ago(ended_at) },
      { title: "COUNT", text: ({ count }) => String(count), align: "right" },
      { title: "SIZE", text: ({ size_bytes }) => (size_bytes === null ? "-" : kilobytes(size_bytes)), align: "right" },
    ]);
  }
  for (const { kind, runs, count, size_bytes } of totals) {
    if (runs > 0) say(`${kind}: ${count} of ${runs} runs, ${kilobytes(size_bytes)}, ${dry_run ? "would go" : "removed"}`);
  }
  for (const { kind, run_id, reason } of kept) say(`kept: ${kind} of ${run_id}. ${reason}`);
  for (const { kind, run_id, kept_refs, problem } of items) {
    for (const ref of kept_refs) say(`${run_id}: what no branch has is kept as ${ref}`);
    if (problem !== null) say(`not removed: ${kind} of ${run_id}. ${withoutControls(problem)}`);
  }
  if (items.length === 0) say("Nothing has been kept long enough to go.");
  else if (dry_run) say("Nothing is removed yet: `longhaul prune --yes` does it.");
  if (more) say("There is more than is done at once: prune again.");
}
