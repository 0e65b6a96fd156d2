import { workflowInfo } from "@temporalio/workflow";
import { StepFailed } from "../sdk/step-failed.js";

/** Temporal ends a history at 51,200 events or 50 MiB; the run stops while there is room to end in order. */
const MAX_HISTORY_EVENTS = 48_000;
const MAX_HISTORY_BYTES = 45 * 1024 * 1024;

/**
 * @param heldBack why the run does not go on in a further execution, should it have wanted to.
 * @throws {StepFailed} `history_limit` when the next step might not find room to end in order.
 */
export function refuseLongHistory(heldBack?: string): void {
  const problem = historyProblem(workflowInfo(), heldBack);
  if (problem !== undefined) throw new StepFailed("history", "history_limit", problem);
}

/**
 * Why the next step might not find room to end in order; undefined when it does. Pure.
 */
export function historyProblem(
  { historyLength, historySize }: { historyLength: number; historySize: number },
  heldBack?: string,
): string | undefined {
  if (historyLength < MAX_HISTORY_EVENTS && historySize < MAX_HISTORY_BYTES) return undefined;
  const full = `This run has ${historyLength} events (${historySize} bytes) of history; Temporal ends a run at 51,200 events or 50 MiB.`;
  if (heldBack === undefined) return `${full} Split the work over several runs.`;
  return `${full} It cannot go on in a further execution: ${heldBack}. Let steps give less, in files for example, or split the work over several runs.`;
}
