import type { Condition, PlanStep, PlanWork } from "../contract/plan.js";
import { defined } from "./defined.js";
import { type Fields, fieldsOf, type TextRule } from "./fields.js";
import { schemaOf } from "./json-schema.js";
import { MAX_CONCURRENCY } from "./limits.js";
import type { Place } from "./node.js";
import { elseKey, ROOTS } from "./references.js";
import { retryOf } from "./retry-field.js";
import { workOf } from "./work.js";

/** A step as it was read, before its place in the plan is known. */
export interface Draft {
  step: PlanStep;
  /** Of the key. */
  at: Place;
  /** Of each of `step.needs` that the author wrote. */
  needsAt: readonly Place[];
  /** What is done when the condition is not met. */
  otherwise?: Draft;
}

/** What a dialect has read of a step in words of its own. */
export interface Own {
  key: string;
  /** The field that holds the key. @default "key" */
  keyWord?: string;
  name?: string | undefined;
  needs?: string[];
  needsAt?: Place[];
  /** Left out: by the common words for it. */
  work?: PlanWork;
  /** Left out: by `retry`. */
  retry?: PlanStep["retry"];
  /** Left out: by `timeout`. */
  timeoutMs?: number | undefined;
  /** What `on_failure` is when the step does not say. @default "stop" */
  onFailure?: PlanStep["on_failure"];
  /** What the dialect reads of an `else`, in words of its own. */
  otherwise?: (fields: Fields) => Pick<Own, "work" | "retry" | "timeoutMs" | "onFailure">;
}

/** Keys of steps: they are folders, too, and stand in references. */
export const KEY: TextRule = { pattern: { matches: /^[\p{L}\p{N}_-]+$/u, words: 'letters, digits, "-" and "_"' }, max: 100 };

/** Names that people see. */
export const NAME: TextRule = { pattern: { matches: /^\P{Cc}+$/u, words: "printable characters on one line" }, max: 200 };

/** A step: what the dialect has read of it, and the keys that steps have in every dialect. Reports the keys that nobody knows. */
export function draftOf(fields: Fields, own: Own): Draft {
  const condition = fields.condition("if");
  const draft = bareDraft(fields, own, condition);
  const other = fields.value("else");
  if (other && !fields.has("if")) fields.problem("else", '"else" needs an "if": write the condition, or a step of its own.');
  fields.rest();
  const otherFields = other && fieldsOf(other, fields.reading, '"else", a step without a key');
  if (!otherFields || !condition) return draft;
  const { keyWord = "key", needs = [], needsAt = [] } = own;
  const words = own.otherwise?.(otherFields) ?? {};
  const otherwise = bareDraft(otherFields, { key: elseKey(own.key), keyWord, needs, needsAt, ...words }, { not: condition });
  otherFields.rest();
  return { ...draft, otherwise: { ...otherwise, step: { ...phased(draft.step), ...otherwise.step }, at: otherFields.node } };
}

function bareDraft(fields: Fields, own: Own, condition: Condition | undefined): Draft {
  const { key, keyWord = "key", needs = [], needsAt = [] } = own;
  if ((ROOTS as readonly string[]).includes(key)) {
    fields.problem(keyWord, `"${key}" begins references; no step can be called so. Call it "${key}-step", for example.`);
  }
  const step: PlanStep = {
    key,
    needs,
    work: own.work ?? workOf(fields),
    on_failure: fields.oneOf("on_failure", ["stop", "continue", "retry"]) ?? own.onFailure ?? "stop",
    ...defined({
      name: own.name,
      phase: fields.text("phase", NAME),
      condition,
      for_each: forEachOf(fields),
      retry: "retry" in own ? own.retry : retryOf(fields, "retry"),
      timeout_ms: "timeoutMs" in own ? own.timeoutMs : fields.duration("timeout", { min: 1, leastNumber: 1000 }),
      idle_timeout_ms: fields.duration("idle_timeout", { min: 1, leastNumber: 1000 }),
      optional: fields.boolean("optional") || undefined,
      output_schema: schemaOf(fields, fields.either("output_schema", "outputSchema")),
      assign: fields.text("assign", KEY),
      summary: summaryOf(fields),
    }),
  };
  if (step.assign !== undefined && (ROOTS as readonly string[]).includes(step.assign)) {
    fields.problem("assign", `"${step.assign}" begins references; nothing can be assigned to it.`);
  }
  return { step, at: fields.place(keyWord), needsAt };
}

function forEachOf(fields: Fields): PlanStep["for_each"] {
  const items = fields.anyValue("for_each");
  const concurrency = fields.int("concurrency", { min: 1, max: MAX_CONCURRENCY });
  if (!items) {
    if (concurrency !== undefined) fields.problem("concurrency", '"concurrency" is of "for_each", which is missing.');
    return undefined;
  }
  if ("text" in items || "map" in items || ("literal" in items && !Array.isArray(items.literal))) {
    fields.problem("for_each", '"for_each" must be a list, or one reference to a list and nothing else.');
  }
  return { items, concurrency: concurrency ?? 1 };
}

/** Where a step has a description but no summary, that is what is shown. */
function summaryOf(fields: Fields): PlanStep["summary"] {
  const key = fields.either("summary", "description");
  const text = fields.text(key);
  if (key === "summary" || text === undefined) return fields.template("summary", { max: 200 });
  return { literal: text.length > 200 ? `${text.slice(0, 199)}…` : text };
}

function phased({ phase }: PlanStep): Pick<PlanStep, "phase"> {
  return defined({ phase });
}
