import type { Plan } from "../contract/plan.js";
import type { Drafts } from "./arrange.js";
import { budgetOf } from "./budget.js";
import { defined } from "./defined.js";
import { type Fields, fieldsOf, type TextRule } from "./fields.js";
import { schemaOf } from "./json-schema.js";
import { MAX_STEPS } from "./limits.js";
import { didYouMean } from "./nearest.js";
import { type Draft, NAME } from "./step.js";

/** Milliseconds that a run may run when its definition does not say. */
export const DEFAULT_TIMEOUT_MS = 3_600_000;

export type Top = Pick<Plan, "format" | "name" | "tags" | "phases" | "timeout_ms"> &
  Partial<Pick<Plan, "description" | "version" | "author" | "input_schema" | "activities" | "budget">>;

/** A file beside the definition, or further away. */
const FUNCTIONS_FILE: TextRule = {
  pattern: {
    matches: /^(?!\/)[^\\:\0]+\.[cm]?[jt]s$/,
    words: "a path from the definition to a .ts or .js file, such as ./lib/release.ts",
  },
  max: 500,
};

/** What every dialect says of a definition as a whole. The dialect reads `steps` and what is its own, then calls `rest()`. */
export function topOf(fields: Fields, own: { timeoutMs?: number | undefined } = {}): Top {
  for (const key of ["$schema", "dialect"]) fields.value(key);
  return {
    format: 1,
    name: fields.text(fields.need("name"), NAME) ?? "",
    tags: fields.texts("tags", NAME) ?? [],
    phases: fields.texts("phases", NAME) ?? [],
    timeout_ms: own.timeoutMs ?? fields.duration("timeout", { leastNumber: 1000 }) ?? DEFAULT_TIMEOUT_MS,
    ...defined({
      description: fields.text("description", { max: 10_000 }),
      version: fields.text("version", NAME),
      author: fields.text("author", NAME),
      input_schema: schemaOf(fields, fields.either("input", "argsSchema")),
      activities: fields.text("activities", FUNCTIONS_FILE),
      budget: budgetOf(fields),
    }),
  };
}

/** The steps of a list, each read by the dialect. */
export function stepsAt(fields: Fields, key: string, read: (step: Fields, index: number) => Draft): Draft[] {
  const nodes = fields.list(key) ?? [];
  if (nodes.length > MAX_STEPS) {
    fields.problem(key, `A definition has at most ${MAX_STEPS} steps, not ${nodes.length}. Use for_each, or several workflows.`);
    return [];
  }
  return nodes.flatMap((node, i) => {
    const step = fieldsOf(node, fields.reading, "a step");
    return step ? [read(step, i)] : [];
  });
}

/** As `stepsAt`, of a list with at least one step. */
export function someStepsAt(fields: Fields, key: string, read: (step: Fields, index: number) => Draft): Draft[] {
  const node = fields.value(fields.need(key));
  if (node?.kind === "list" && node.items.length === 0)
    fields.problem(key, `"${key}" is empty. A definition has at least one step.`);
  return stepsAt(fields, key, read);
}

/** The phases of a plan: those listed, which its steps must keep to, else those of its steps as they come. */
export function phasesOf(listed: string[], { steps, failure, always }: Drafts, fields: Fields): string[] {
  const drafts = [...steps, ...failure, ...always];
  const named = drafts.flatMap(({ step, otherwise }) => [step, ...(otherwise ? [otherwise.step] : [])]);
  if (listed.length === 0) return [...new Set(named.flatMap(({ phase }) => phase ?? []))];
  for (const { step, at } of drafts) {
    if (step.phase === undefined || listed.includes(step.phase)) continue;
    fields.reading.problems.add(
      at,
      `Step "${step.key}" is of the phase "${step.phase}", which "phases" does not list.${didYouMean(step.phase, listed)}`,
    );
  }
  return listed;
}

/** The steps of a definition, and those that are done when the run has failed (`on_failure`) and whatever happens (`finally`). */
export function draftsOf(fields: Fields, read: (step: Fields) => Draft): Drafts {
  return {
    steps: someStepsAt(fields, "steps", read),
    failure: stepsAt(fields, "on_failure", read),
    always: stepsAt(fields, "finally", read),
  };
}
