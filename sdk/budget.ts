import { Budget } from "../contract/budget.js";
import type { BudgetOption } from "./context.js";

/** As all of Longhaul has it. @throws {z.ZodError} */
export function toBudget(option: BudgetOption): Budget {
  const { onReached, ...measures } = option;
  return Budget.parse({ ...measures, ...(onReached === undefined ? {} : { on_reached: onReached }) });
}

/** What is wrong with it, to stand behind its name; null when nothing is, or when there is none. */
export function problemOfBudget(option: BudgetOption | undefined): string | null {
  if (option === undefined) return null;
  if (typeof option !== "object" || option === null) return `is an object such as { usd: 5 }, and not ${JSON.stringify(option)}`;
  const { onReached, ...measures } = option;
  const parsed = Budget.safeParse({ ...measures, ...(onReached === undefined ? {} : { on_reached: onReached }) });
  if (parsed.success) return null;
  return parsed.error.issues
    .map(({ path, message }) =>
      path.length === 0 ? message : `has a wrong ${path.join(".").replace("on_reached", "onReached")}: ${message}`,
    )
    .join("; ");
}
