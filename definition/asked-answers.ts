import type { JsonObject } from "../contract/json.js";
import type { Plan, PlanPanel, PlanStep, Ref } from "../contract/plan.js";
import { refsOf } from "./template.js";
import { valuesOf } from "./values.js";

/** What an agent's step gives anyway, and what stands for all that it gives. */
const OWN = new Set(["text", "sessionId", "filesChanged", "instructionFiles"]);
const WHOLE = new Set(["result", "output", "data"]);
/** What a panel's step gives besides, when it has one answer. */
const PANELS_OWN = new Set(["winner", "agreed"]);

/**
 * The plan, with agents asked for what later steps name of their answers: `{{ parse.functions }}` makes the step `parse` answer
 * with an object that has `functions`. An agent whose output has a schema is asked for that alone. What only conditions name may
 * be absent.
 */
export function withAskedAnswers(plan: Plan): Plan {
  const all = [...plan.steps, ...(plan.on_failure ?? []), ...(plan.finally ?? [])];
  const keys = new Set(all.map(({ key }) => key));
  const assigned = new Map(all.flatMap(({ key, assign }) => (assign === undefined ? [] : [[assign, key] as const])));
  const panels = new Map(all.flatMap(({ key, work }) => (work.kind === "agent" && work.panel ? [[key, work.panel]] : [])));
  const fields = new Map<string, Set<string>>();
  for (const ref of all.flatMap(valuesOf).flatMap(refsOf)) {
    const named = fieldIn(ref, { keys, assigned, panels });
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

/** What is known of a plan's steps. */
interface Known {
  keys: ReadonlySet<string>;
  assigned: ReadonlyMap<string, string>;
  panels: ReadonlyMap<string, PlanPanel>;
}

/** The step that a reference looks into, and the field of its answer. Where every agent of a panel answers, a name stands before that. */
function fieldIn([root, name, ...whole]: Ref, { keys, assigned, panels }: Known): { key: string; field: string } | undefined {
  if (typeof name !== "string") return undefined;
  const key = (root !== "steps" ? assigned.get(name) : undefined) ?? (keys.has(name) ? name : undefined);
  const isStep = root === "steps" || root === "name" || (root === "vars" && assigned.has(name));
  if (key === undefined || !isStep) return undefined;
  const panel = panels.get(key);
  const [first, second] = panel?.strategy === "all" ? whole.slice(1) : whole;
  const field = typeof first === "string" && WHOLE.has(first) ? second : first;
  if (typeof field !== "string" || OWN.has(field) || (panel && PANELS_OWN.has(field))) return undefined;
  return { key, field };
}
