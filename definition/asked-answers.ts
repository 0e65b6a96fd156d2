import type { JsonObject } from "../contract/json.js";
import type { Plan, PlanStep, Ref } from "../contract/plan.js";
import { refsOf } from "./template.js";
import { valuesOf } from "./values.js";

/** What an agent's step gives anyway, and what stands for all that it gives. */
const OWN = new Set(["text", "sessionId", "filesChanged", "instructionFiles"]);
const WHOLE = new Set(["result", "output", "data"]);

/**
 * The plan, with agents asked for what later steps name of their answers: `{{ parse.functions }}` makes the step `parse` answer
 * with an object that has `functions`. An agent whose output has a schema is asked for that alone. What only conditions name may
 * be absent.
 */
export function withAskedAnswers(plan: Plan): Plan {
  const all = [...plan.steps, ...(plan.on_failure ?? []), ...(plan.finally ?? [])];
  const keys = new Set(all.map(({ key }) => key));
  const assigned = new Map(all.flatMap(({ key, assign }) => (assign === undefined ? [] : [[assign, key] as const])));
  const fields = new Map<string, Set<string>>();
  for (const ref of all.flatMap(valuesOf).flatMap(refsOf)) {
    const named = fieldIn(ref, keys, assigned);
    if (named) fields.set(named.key, (fields.get(named.key) ?? new Set()).add(named.field));
  }
  if (fields.size === 0) return plan;
  const ask = (step: PlanStep) => asked(step, fields.get(step.key));
  return {
    ...plan,
    steps: plan.steps.map(ask),
    ...(plan.on_failure && { on_failure: plan.on_failure.map(ask) }),
    ...(plan.finally && { finally: plan.finally.map(ask) }),
  };
}

function asked(step: PlanStep, fields: ReadonlySet<string> | undefined): PlanStep {
  if (!fields || step.work.kind !== "agent" || step.output_schema || step.for_each) return step;
  const isVerified = step.work.verify !== undefined;
  const required = [...fields].filter((field) => !(isVerified && field === "verified")); // the step gives that itself
  if (required.length === 0) return step;
  const properties: JsonObject = Object.fromEntries(required.map((field) => [field, {}]));
  return { ...step, output_schema: { type: "object", required, properties } };
}

/** The step that a reference looks into, and the field of its answer. */
function fieldIn(
  [root, name, ...path]: Ref,
  keys: ReadonlySet<string>,
  assigned: ReadonlyMap<string, string>,
): { key: string; field: string } | undefined {
  const [first, second] = path;
  const field = typeof first === "string" && WHOLE.has(first) ? second : first;
  if (typeof name !== "string" || typeof field !== "string" || OWN.has(field)) return undefined;
  const key = (root !== "steps" ? assigned.get(name) : undefined) ?? (keys.has(name) ? name : undefined);
  const isStep = root === "steps" || root === "name" || (root === "vars" && assigned.has(name));
  return key !== undefined && isStep ? { key, field } : undefined;
}
