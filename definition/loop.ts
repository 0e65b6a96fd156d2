import type { Json, JsonObject } from "../contract/json.js";
import type { Condition, PlanFlow, PlanStep } from "../contract/plan.js";
import { answerOf } from "./answer.js";

/** What comes after a stage: another one, or the end of the run and why it is the end. */
export type NextStage =
  | {
      /** Position in the plan's steps. */
      stage: number;
      /** Of the pass that the stage belongs to, counted from 1. */
      iteration: number;
      /** What the output named as the next stage, when no stage is called so; it was passed over. */
      unknown?: string;
    }
  | { end: "stop_when" | "max_iters_reached" | "all_stages_done" };

/** How a loop asks its condition: `item` is what the stage has answered. */
export type Asks = (condition: Condition, item: Json) => boolean;

type Loop = Extract<PlanFlow, { kind: "loop" }>;

/**
 * Where a loop goes after the stage at position `at`, which gave `output` in the pass `iteration` (from 1).
 *
 * `stop_when` is asked after every stage, from pass `min_iterations` on. Met, the run ends. Else the next stage of the pass
 * follows, and after the last one a new pass, while there are passes left: it begins at the stage that the output names by
 * `recommended_next_stage`, else at `flow.next`, else at the first. A stage in the middle of a pass may recommend itself or one
 * before it: a new pass begins there at once. It cannot skip stages: one after it that it recommends is reached in its turn.
 *
 * Pure, so that a replay goes the same way.
 */
export function nextStage(
  flow: Loop,
  steps: readonly PlanStep[],
  at: number,
  output: Json | undefined,
  iteration: number,
  meets: Asks,
): NextStage {
  const answer = answerOf(output);
  if (flow.stop_when && iteration >= (flow.min_iterations ?? 1) && meets(flow.stop_when, answer)) return { end: "stop_when" };

  const { stage: named, unknown } = recommended(steps, answer);
  const noted = unknown === undefined ? {} : { unknown };
  const isLast = at === steps.length - 1;
  const isPassLeft = iteration < flow.max_iterations;
  if (!isLast && !(isPassLeft && named !== undefined && named <= at)) return { stage: at + 1, iteration, ...noted };

  if (!isPassLeft) return { end: isOnePass(flow) ? "all_stages_done" : "max_iters_reached" };
  const fallback = steps.findIndex((step) => step.key === flow.next);
  return { stage: named ?? Math.max(fallback, 0), iteration: iteration + 1, ...noted };
}

function recommended(steps: readonly PlanStep[], answer: Json): { stage?: number; unknown?: string } {
  const named = isObject(answer) && Object.hasOwn(answer, "recommended_next_stage") ? answer.recommended_next_stage : null;
  if (typeof named !== "string" || named === "") return {};
  const stage = steps.findIndex((step) => step.key === named);
  return stage < 0 ? { unknown: named } : { stage };
}

function isOnePass(flow: Loop): boolean {
  return flow.max_iterations === 1 && flow.stop_when === undefined;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
