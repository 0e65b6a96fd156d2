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
  for (;;) {
    const outcome = await round(before, spent);
    place.since ??= outcome.started_at;
    if (!("halt" in outcome.value)) return { ...outcome, value: outcome.value, started_at: place.since };
    const { halt } = outcome.value;
    tellLost(engine.narrator, place, outcome);
    tellTrace(engine.narrator, outcome);
    before = outcome.value.before;
    try {
      if (halt.why === "limit") await waitOut(engine, place, halt);
      else before = { ...before, permits: [...(before.permits ?? []), await askPermit(engine, place, halt, asking)] };
    } catch (error) {
      if (isCancellation(error)) leaveSessions(engine, outcome);
      throw error;
    }
    spent += Date.parse(outcome.completed_at) - Date.parse(outcome.started_at);
  }
}

function waitOut(engine: Engine, place: Place, { message, until }: Halt & { why: "limit" }): Promise<void> {
  const { step } = place;
  const ms = () => Math.max(1, Date.parse(until) - Date.now());
  const summary = `${step.key}: ${message}`.slice(0, 120);
  return engine.standStill(place, { kind: "limit", step_id: step.id, message, until }, () => sleep(ms(), { summary }));
}

/** Nobody goes on with them. */
function leaveSessions({ narrator }: Engine, { sessions = [] }: Outcome<unknown>): void {
  for (const session of sessions) narrator.tell({ type: "session.updated", session: { ...session, status: "cancelled" } });
}
