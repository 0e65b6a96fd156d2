import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from "@temporalio/workflow";
import type { FailureDetail } from "../contract/activity.js";
import type { StepError } from "../contract/step.js";
import { StepFailed } from "../sdk/step-failed.js";

/** Why a step's try failed, and what its activity left. */
export interface StepFailure {
  error: StepError;
  /** Absent when the worker was lost or the failure is the workflow's own. */
  detail?: FailureDetail;
  output?: unknown;
}

/** @param thrown what an activity or a user's function threw; a cancellation, too, of which the detail says what was left. */
export function readFailure(thrown: unknown): StepFailure {
  const cause = thrown instanceof ActivityFailure ? thrown.cause : thrown;
  if (cause instanceof TimeoutFailure) {
    return {
      error: { type: "worker_lost", message: "The worker that ran this was lost, and so were those that tried it again." },
    };
  }
  if (cause instanceof ApplicationFailure) {
    const detail = cause.details?.[0] as FailureDetail | undefined; // what `perform` puts there
    return {
      error: { type: cause.type ?? "error", message: cause.message },
      ...(detail?.started_at ? { detail } : {}),
      output: detail?.output,
    };
  }
  if (cause instanceof CancelledFailure) {
    const detail = cause.details?.[0] as FailureDetail | undefined; // what `perform` puts there
    return { error: { type: "cancelled", message: cause.message }, ...(detail?.started_at ? { detail } : {}) };
  }
  if (cause instanceof StepFailed) return { error: { type: cause.type, message: cause.message }, output: cause.output };
  if (cause instanceof Error) return { error: { type: cause.name || "Error", message: cause.message } };
  return { error: { type: "error", message: String(cause) } };
}
