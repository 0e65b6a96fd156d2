import { workflowInfo } from "@temporalio/workflow";
import { StepFailed } from "../sdk/step-failed.js";

/** Temporal ends a history at 51,200 events or 50 MiB; the run stops while there is room to end in order. */
const MAX_HISTORY_EVENTS = 48_000;
const MAX_HISTORY_BYTES = 45 * 1024 * 1024;

/** @throws {StepFailed} `history_limit` when the next step might not find room to end in order. */
export function refuseLongHistory(): void {
  const { historyLength, historySize } = workflowInfo();
  if (historyLength < MAX_HISTORY_EVENTS && historySize < MAX_HISTORY_BYTES) return;
  throw new StepFailed(
    "history",
    "history_limit",
    `This run has ${historyLength} events (${historySize} bytes) of history; Temporal ends a run at 51,200 events or 50 MiB. ` +
      "Split the work over several runs.",
  );
}
