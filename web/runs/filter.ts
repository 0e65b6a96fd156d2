import { RunStatus } from "../../contract/run.js";

/** Which runs are shown. Part of the page's address: every field may be missing. */
export interface RunFilter {
  project?: string;
  workflow?: string;
  status?: RunStatus[];
  branch?: string;
  q?: string;
}

/** What an address says, as far as it can be read. */
export function filterOf(search: Record<string, unknown>): RunFilter {
  const { project, workflow, branch, q } = search;
  const named = String(search.status ?? "").split(",");
  const status = RunStatus.options.filter((one) => named.includes(one));
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  const all = { project: text(project), workflow: text(workflow), branch: text(branch), q: text(q) };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return { ...given, ...(status.length > 0 ? { status } : {}) };
}
