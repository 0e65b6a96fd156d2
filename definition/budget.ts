import type { Budget } from "../contract/budget.js";
import { defined } from "./defined.js";
import type { Fields } from "./fields.js";

/** Least amounts of what may be any number above 0. */
const LEAST = 0.000_001;

/** `budget`: what agents may spend, of a step or a whole run. */
export function budgetOf(fields: Fields): Budget | undefined {
  const budget = fields.map("budget", '"budget", such as { usd: 5 },');
  if (!budget) return undefined;
  const measures = {
    usd: budget.number("usd", { min: LEAST }),
    tokens: budget.int("tokens", { min: 1 }),
    turns: budget.int("turns", { min: 1 }),
    minutes: budget.number("minutes", { min: LEAST }),
  };
  const on_reached = budget.oneOf("on_reached", ["stop", "ask"]);
  budget.rest();
  const isEmpty = Object.keys(measures).every((measure) => !budget.has(measure));
  if (isEmpty) fields.problem("budget", '"budget" says nothing of what may be spent. Give it usd, tokens, turns or minutes.');
  return { ...defined(measures), ...defined({ on_reached }) };
}
