import type { Plan, PlanStep } from "../../contract/plan.js";
import { type CompileResult, compile } from "../../definition/compile.js";

/** The plan of a definition that must be good: YAML text, or data. */
export function planOf(definition: string | object): Plan {
  const result = compiled(definition);
  if (!result.ok)
    throw new Error(result.problems.map(({ path, line, column, message }) => `${path} ${line}:${column} ${message}`).join("\n"));
  return result.plan;
}

/** What is wrong with a definition: `path line:column message`, one a problem. */
export function problemsOf(definition: string | object): string[] {
  const result = compiled(definition);
  return result.ok ? [] : result.problems.map(({ path, line, column, message }) => `${path} ${line}:${column} ${message}`);
}

/** The step of a plan with this key. */
export function stepOf(plan: Plan, key: string): PlanStep {
  const step = [...plan.steps, ...(plan.on_failure ?? []), ...(plan.finally ?? [])].find((one) => one.key === key);
  if (!step) throw new Error(`The plan has no step ${key}.`);
  return step;
}

function compiled(definition: string | object): CompileResult {
  return typeof definition === "string" ? compile(definition, "a.yaml") : compile(JSON.stringify(definition), "a.json");
}
