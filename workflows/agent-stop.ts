import { workflowInfo } from "@temporalio/workflow";
import type { AgentValue } from "../activities/agent/index.js";
import type { AgentSessionRow } from "../contract/agent-session.js";
import type { CountedUsage } from "../contract/budget.js";
import type { RoundsBefore } from "../contract/halt.js";
import type { Stopped } from "./controls.js";
import type { Engine, Place } from "./engine.js";
import { tellLost, tellTrace } from "./tell-step.js";

/** What a stopped turn leaves to go on with. */
export interface StoppedRound {
  before: RoundsBefore;
  /** Of the whole turn so far. */
  usage: CountedUsage | undefined;
  /** Milliseconds that the activity took. */
  ms: number;
  sessions: AgentSessionRow[];
}

/**
 * Tell what a turn has left that a pause has stopped. Its session is not over: the next round goes on in it.
 *
 * @param earlier of the rounds before
 */
export function tellStoppedRound(
  { narrator }: Engine,
  place: Place,
  { failure: { detail }, activityId }: Stopped,
  earlier: RoundsBefore | undefined,
): StoppedRound {
  const output = detail?.output as (Partial<AgentValue> & { before?: RoundsBefore }) | undefined; // what an agent's activity keeps
  const before = output?.before ?? earlier ?? beginningOf(activityId);
  const sessions = (detail?.sessions ?? []).map((session): AgentSessionRow => ({ ...session, status: "running" }));
  if (detail) {
    tellLost(narrator, place, detail);
    tellTrace(narrator, { ...detail, sessions });
  }
  const ms = detail ? Date.parse(detail.completed_at) - Date.parse(detail.started_at) : 0;
  return { before: { ...before, stopped: true }, usage: output?.usage, ms, sessions };
}

/** Its worker was lost before it said anything: the session, should there be one, is found by the activity. */
function beginningOf(activityId = "0"): RoundsBefore {
  return { lineage: `${workflowInfo().runId}:${activityId}`, tool_calls: 0, worked_ms: 0 };
}
