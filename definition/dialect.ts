import type { Plan } from "../contract/plan.js";
import type { Dialect } from "../contract/workflow.js";
import type { Mapping } from "./node.js";
import type { Problems } from "./problems.js";

/** A way of writing definitions. Nothing outside of its own file and the table in `dialects.ts` knows more of it. */
export interface DialectReader {
  dialect: Dialect;
  /** What tells it from the others, for a sentence: `steps with a "type"`. */
  shape: string;
  /** Whether a definition looks like it; `file` is its name. */
  fits(root: Mapping, file: string): boolean;
  /** Compile it. With problems the plan is not to be used. */
  compile(root: Mapping, problems: Problems, file: string): Plan;
}

/** Whether the definition has steps, and any of them has one of these keys. */
export function hasStepsWith(root: Mapping, ...keys: string[]): boolean {
  const steps = root.entries.find(({ key }) => key === "steps")?.value;
  if (steps?.kind !== "list") return false;
  return steps.items.some((step) => step.kind === "map" && step.entries.some(({ key }) => keys.includes(key)));
}
