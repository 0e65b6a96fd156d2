import type { Fact, StepRef } from "../contract/fact.js";
import type { Json } from "../contract/json.js";
import type { StepStatus } from "../contract/step.js";

/** A step as a replay tells it. */
export interface ToldStep extends Pick<StepRef, "id" | "number" | "key" | "kind" | "iteration"> {
  input: Json;
  /** How it ended; null when it has not. */
  ended: StepStatus | null;
  place: { file: string; line: number | null } | null;
}

/** What a replay shows of a run. */
export interface Replayed {
  /** In the order in which they began. */
  steps: ToldStep[];
  /** How the run ended; null when it has not. */
  ended: string | null;
  /** Why the replay did not come through; null when it did. */
  error: string | null;
}

/** The steps of a replay, of all that it told. */
export function replayedOf(facts: readonly Fact[], error: string | null): Replayed {
  const steps = new Map<string, ToldStep>();
  let ended: string | null = null;
  for (const fact of facts) {
    if (fact.type === "step.started") {
      const { id, number, key, kind, iteration } = fact.step;
      steps.set(id, { id, number, key, kind, iteration, input: fact.input, ended: null, place: fact.place ?? null });
    } else if (fact.type === "step.finished") {
      const step = steps.get(fact.step_id);
      if (step) step.ended = fact.status;
    } else if (fact.type === "run.finished") ended = fact.status;
    else if (fact.type === "run.continued") ended = "continued";
  }
  return { steps: [...steps.values()], ended, error };
}
