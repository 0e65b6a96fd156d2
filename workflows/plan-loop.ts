import type { Json } from "../contract/json.js";
import type { Condition, Plan, PlanFlow, PlanStep } from "../contract/plan.js";
import { type NextStage, nextStage } from "../definition/loop.js";
import { meets } from "../definition/meets.js";
import type { Engine } from "./engine.js";
import type { PlanState } from "./plan-state.js";

/** Why a loop was over; `completed`: a step failed with the run. */
export type LoopEnd = Extract<NextStage, { end: string }>["end"] | "completed";

/**
 * Do the steps of a loop, pass after pass.
 *
 * @param act does a step to its end; false: the run fails with it.
 */
export async function doLoop(
  engine: Engine,
  plan: Plan,
  flow: Extract<PlanFlow, { kind: "loop" }>,
  state: PlanState,
  act: (step: PlanStep) => Promise<boolean>,
): Promise<LoopEnd> {
  const asks = (condition: Condition, item: Json) => meets(condition, { ...state.scope(), item });
  for (;;) {
    const { at } = state;
    const step = plan.steps[at];
    if (!step || !(await act(step))) return "completed";
    const next = nextStage(flow, plan.steps, at, state.outputs[step.key], state.iteration, asks);
    if ("end" in next) return next.end;
    if (next.unknown !== undefined) {
      const text = `${step.key} recommended "${next.unknown}" as the next stage, and no stage is called so.`;
      engine.notes.aside(() => ({ type: "log", level: "warn", text, step_id: engine.stepId(step.key), attempt: 1 }));
    }
    state.at = next.stage;
    state.iteration = next.iteration;
  }
}
