import type { Plan } from "../contract/plan.js";
import { arranged, inSequence } from "./arrange.js";
import { defined } from "./defined.js";
import { type DialectReader, hasStepsWith } from "./dialect.js";
import { type ExportResult, written } from "./export.js";
import { Fields } from "./fields.js";
import { reportLateReferences } from "./late-references.js";
import type { Mapping } from "./node.js";
import type { Problems } from "./problems.js";
import { knownIn, type Naming, references } from "./references.js";
import { type Draft, draftOf, KEY, NAME } from "./step.js";
import { draftsOf, phasesOf, topOf } from "./top.js";

/** Only `{{ }}` opens references: `${X}` in a command stays the shell's. */
const NAMING = { marks: ["{{"], aliases: { args: "input" }, bare: "nothing" } satisfies Naming;

/** Steps in phases, one after the other: `steps` with `id`, `phase` and `type`. */
export const phases: DialectReader = {
  dialect: "phases",
  shape: 'steps with an "id" and a "type", one after the other',
  fits: (root) => hasStepsWith(root, "id", "type") && !hasStepsWith(root, "key", "dependencies"),
  compile,
};

function compile(root: Mapping, problems: Problems): Plan {
  const reading = { problems, references: references(NAMING, knownIn(root, "id")) };
  const fields = new Fields(root, reading, "the definition");
  const top = topOf(fields);
  const drafts = draftsOf(fields, step);
  const named = phasesOf(top.phases, drafts, fields);
  fields.rest();
  const steps = arranged({ ...drafts, steps: inSequence(drafts.steps) }, problems);
  reportLateReferences(steps.steps, drafts.steps, problems, { bareToo: true });
  return {
    ...top,
    phases: named,
    names: ["item", "vars", "steps", "input"],
    flow: { kind: "graph", by_level: false },
    ...steps,
  };
}

function step(fields: Fields): Draft {
  return draftOf(fields, { key: fields.text(fields.need("id"), KEY) ?? "", keyWord: "id", name: fields.text("name", NAME) });
}

/** A plan as a definition of this dialect, or what this dialect cannot say of it. */
export function toPhases(plan: Plan, format: "yaml" | "json" = "yaml"): ExportResult {
  return written(
    plan,
    { reader: phases, keyWord: "id", marks: ["{{"], top: () => ({}), step: ({ name }) => defined({ name }) },
    format,
  );
}
