import { isFinished, type Run, type RunStatus } from "../../contract/run.js";

export interface Column {
  name: string;
  runs: Run[];
}

const BY_STATUS: { name: string; statuses: RunStatus[] }[] = [
  { name: "Pending", statuses: ["pending"] },
  { name: "Running", statuses: ["running"] },
  { name: "Waiting", statuses: ["waiting", "paused"] },
  { name: "Completed", statuses: ["completed"] },
  { name: "Failed", statuses: ["failed", "timed_out"] },
  { name: "Cancelled", statuses: ["cancelled"] },
];

/**
 * The board's columns: a workflow's phases in their order, and one for what has finished; without phases, one for each state of things.
 * Every run is in one of them, what waits for a person first.
 */
export function columnsOf(runs: readonly Run[], phases: readonly string[]): Column[] {
  if (phases.length === 0)
    return BY_STATUS.map(({ name, statuses }) => ({
      name,
      runs: sorted(runs.filter(({ status }) => statuses.includes(status))),
    }));
  const place = (run: Run) => (isFinished(run.status) ? -1 : Math.max(0, phases.indexOf(run.current_phase ?? "")));
  const columns = phases.map((name, i) => ({ name, runs: sorted(runs.filter((run) => place(run) === i)) }));
  return [...columns, { name: "Finished", runs: sorted(runs.filter((run) => place(run) === -1)) }];
}

function sorted(runs: Run[]): Run[] {
  const asks = ({ waiting_for }: Run) => (waiting_for?.kind === "approval" ? 0 : 1);
  return runs.toSorted((a, b) => asks(a) - asks(b));
}
