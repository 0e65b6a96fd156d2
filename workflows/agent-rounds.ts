import { isCancellation, sleep } from "@temporalio/workflow";
import type { AgentValue } from "../activities/agent/index.js";
import type { Outcome } from "../contract/activity.js";
import type { Halt, Halted, RoundsBefore } from "../contract/halt.js";
import type { PermitAsking } from "../contract/permit.js";
import { askPermit } from "./agent-permit.js";
import type { Engine, Place } from "./engine.js";
import { tellLost, tellTrace } from "./tell-step.js";

/** One activity: a turn, or what is left of one that was halted. @param spent milliseconds that the rounds before took */
type Round = (before: RoundsBefore | undefined, spent: number) => Promise<Outcome<AgentValue | Halted>>;

/** A provider that goes on to name times that are over is asked ever more seldom: after a second, then two, at last ten minutes. */
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_PAUSE_MS = 600_000;

/**
 * A turn of an agent. Each time it is halted it waits for what it lacks, and goes on in its session by a further activity.
 *
 * @param asking how people are asked for what the agent may not do by itself
 */
export async function agentRounds(
  engine: Engine,
  place: Place,
  asking: PermitAsking | undefined,
  round: Round,
): Promise<Outcome<AgentValue>> {
  let before: RoundsBefore | undefined;
  let spent = 0;
  let limits = 0;
  for (;;) {
    const outcome = await round(before, spent);
    place.since ??= outcome.started_at;
    if (!("halt" in outcome.value)) return { ...outcome, value: outcome.value, started_at: place.since };
    const { halt } = outcome.value;
    tellLost(engine.narrator, place, outcome);
    tellTrace(engine.narrator, outcome);
    before = outcome.value.before;
    try {
      if (halt.why === "limit") await waitOut(engine, place, halt, limits++);
      else before = { ...before, permits: [...(before.permits ?? []), await askPermit(engine, place, halt, asking)] };
    } catch (error) {
      if (isCancellation(error)) leaveSessions(engine, outcome);
      throw error;
    }
    spent += Date.parse(outcome.completed_at) - Date.parse(outcome.started_at);
  }
}

/** @param limits how often this turn has met one before */
function waitOut(engine: Engine, place: Place, { message, ...limit }: Halt & { why: "limit" }, limits: number): Promise<void> {
  const { step } = place;
  const earliest = Date.now() + Math.min(SHORTEST_WAIT_MS * 2 ** limits, LONGEST_PAUSE_MS);
  const until = new Date(Math.max(Date.parse(limit.until), earliest)).toISOString();
  const ms = () => Math.max(1, Date.parse(until) - Date.now());
  const summary = `${step.key}: ${message}`.slice(0, 120);
  const what = { kind: "limit" as const, step_id: step.id, message, since: new Date().toISOString(), until };
  return engine.standStill(place, what, () => sleep(ms(), { summary }));
}

/** Nobody goes on with them. */
function leaveSessions({ narrator }: Engine, { sessions = [] }: Outcome<unknown>): void {
  for (const session of sessions) narrator.tell({ type: "session.updated", session: { ...session, status: "cancelled" } });
}
