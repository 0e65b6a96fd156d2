import type { Condition, Plan } from "../contract/plan.js";
import { find, type Scope } from "./scope.js";
import { isTruthy } from "./truth.js";

/** A condition cannot be decided; the message is a sentence that names the condition. */
export class ConditionError extends Error {
  override readonly name = "ConditionError";
  readonly type = "condition_failed";
}

type Cel = typeof import("./cel.js");
let cel: Cel | undefined;

/**
 * Make ready to decide conditions with expressions; needed once before `meets`, where there is one. Apart, because every run would
 * else pay for the evaluator.
 */
export async function loadConditions(): Promise<void> {
  cel ??= await import(/* webpackMode: "eager" */ "./cel.js");
}

/** Whether a plan has a condition that needs `loadConditions`. */
export function needsConditions({ steps, on_failure = [], finally: always = [], flow }: Plan): boolean {
  const conditions = [...steps, ...on_failure, ...always].map(({ condition }) => condition);
  if (flow.kind === "loop") conditions.push(flow.stop_when);
  return conditions.some((condition) => condition !== undefined && isExpression(condition));
}

/**
 * Whether a condition is met. What it names and is not there counts as false.
 *
 * @throws {ConditionError} for an expression that compares what cannot be compared, or takes too long
 */
export function meets(condition: Condition, scope: Scope): boolean {
  if ("not" in condition) return !meets(condition.not, scope);
  if ("truthy" in condition) return isTruthy(find(condition.truthy, scope));
  if (isConstant(condition.cel)) return condition.cel === "true";
  if (!cel) throw new ConditionError(`The condition "${condition.cel}" is an expression, and expressions have not been loaded.`);
  const result = cel.evaluateCel(condition.cel, scope);
  if ("problem" in result) throw new ConditionError(`The condition "${condition.cel}" cannot be decided: ${result.problem}.`);
  return result.met;
}

function isExpression(condition: Condition): boolean {
  if ("not" in condition) return isExpression(condition.not);
  return "cel" in condition && !isConstant(condition.cel);
}

function isConstant(text: string): boolean {
  return text === "true" || text === "false";
}
