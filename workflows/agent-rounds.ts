import { sleep } from "@temporalio/workflow";
import type { AgentValue } from "../activities/agent/index.js";
import type { Outcome } from "../contract/activity.js";
import type { Halt, Halted, RoundsBefore } from "../contract/halt.js";
import type { WaitingFor } from "../contract/run.js";
import type { Engine, Place } from "./engine.js";
import { tellLost, tellTrace } from "./tell-step.js";

/** One activity: a turn, or what is left of one that was halted. @param spent milliseconds that the rounds before took */
type Round = (before: RoundsBefore | undefined, spent: number) => Promise<Outcome<AgentValue | Halted>>;

/** A turn of an agent. Each time it is halted it waits for what it lacks, and goes on in its session by a further activity. */
export async function agentRounds(engine: Engine, place: Place, round: Round): Promise<Outcome<AgentValue>> {
  let before: RoundsBefore | undefined;
  let spent = 0;
  for (;;) {
    const outcome = await round(before, spent);
    place.since ??= outcome.started_at;
    if (!("halt" in outcome.value)) return { ...outcome, value: outcome.value, started_at: place.since };
    const { halt } = outcome.value;
    tellLost(engine.narrator, place, outcome);
    tellTrace(engine.narrator, outcome);
    await engine.standStill(place, waitingFor(place, halt), () => waitOut(place, halt));
    before = outcome.value.before;
    spent += Date.parse(outcome.completed_at) - Date.parse(outcome.started_at);
  }
}

function waitingFor({ step }: Place, halt: Halt): WaitingFor {
  return { kind: "limit", step_id: step.id, message: halt.message, until: halt.until };
}

async function waitOut({ step }: Place, halt: Halt): Promise<void> {
  await sleep(Math.max(1, Date.parse(halt.until) - Date.now()), { summary: `${step.key}: ${halt.message}`.slice(0, 120) });
}
