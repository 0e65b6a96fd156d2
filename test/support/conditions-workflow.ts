import type { Condition } from "../../contract/plan.js";
import { loadConditions, meets } from "../../definition/meets.js";
import { renderCommand } from "../../definition/render-command.js";
import type { Scope } from "../../definition/scope.js";

/** How often the evaluator of expressions has been evaluated in this run's context; the test's bundle counts. */
declare const celEvaluations: number | undefined;

/** Decides conditions as the interpreter does; expressions only when asked to. */
export async function decide(conditions: Condition[], scope: Scope, withExpressions: boolean) {
  const evaluations = () => (typeof celEvaluations === "undefined" ? 0 : celEvaluations);
  const before = evaluations();
  const start = Date.now();
  if (withExpressions) await loadConditions();
  const met = conditions.map((condition) => meets(condition, scope));
  const { env } = renderCommand({ text: ["echo ", ["input", "name"]] }, scope);
  return { met, env, before, after: evaluations(), start };
}
