import { difference, type Measure, NOTHING_SPENT, spentBy } from "../../contract/budget.js";
import type { RoundsBefore } from "../../contract/halt.js";
import type { TurnBudget } from "./budget.js";
import type { AgentEnd, AgentRequest } from "./provider.js";

/** Timers of Node reach no further. */
const MAX_TIMER_MS = 2_147_483_647;

export interface WorkedEnd extends AgentEnd {
  /** Milliseconds. */
  worked_ms: number;
}

/**
 * A turn that ends when what is left of its budget is spent: as halted, where somebody may be asked for more, else as failed with
 * `budget_exceeded`.
 *
 * @param before what earlier rounds of the turn have used, which its usage includes
 */
export async function withinBudget(
  budget: TurnBudget,
  request: AgentRequest,
  before: RoundsBefore["usage"],
  turn: (request: AgentRequest) => Promise<AgentEnd>,
): Promise<WorkedEnd> {
  const { left } = budget;
  const late = new AbortController();
  const ms = left.minutes === undefined ? undefined : Math.min(left.minutes * 60_000, MAX_TIMER_MS);
  const timer = ms === undefined ? undefined : setTimeout(() => late.abort(), ms);
  const began = Date.now();
  try {
    const end = await turn({ ...request, left, signal: AbortSignal.any([request.signal, late.signal]) });
    const worked_ms = Date.now() - began;
    const isLate = end.status === "stopped" && late.signal.aborted && !request.signal.aborted;
    const measure: Measure | undefined = isLate ? "minutes" : end.spentUp;
    const used = difference(spentBy(end.usage, worked_ms), before ? spentBy(before, 0) : NOTHING_SPENT);
    const reached = measure && budget.spentBy(measure, used);
    if (!reached) return { ...end, worked_ms };
    if (reached.halt) return { ...end, worked_ms, status: "halted", halt: reached.halt, failure: null };
    return { ...end, worked_ms, status: "failed", failure: { type: "budget_exceeded", message: reached.message } };
  } finally {
    clearTimeout(timer);
  }
}
