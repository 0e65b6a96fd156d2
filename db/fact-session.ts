import { isFinished } from "../contract/run.js";
import { type RunRows, type SessionRow, touch } from "./fact-rows.js";

/** No agent works for a finished run. Returns the sessions that were still said to be under way, now cancelled. */
export function closeSessions(rows: RunRows): SessionRow[] {
  const { run } = rows;
  if (!isFinished(run.status) || run.completedAt === null) return [];
  const open = [...rows.sessions.values()].filter(({ status }) => status === "running");
  for (const session of open) {
    session.status = "cancelled";
    touch(rows, session, run.completedAt);
  }
  return open;
}
