import proto, { type temporal } from "@temporalio/proto";
import type { Logger } from "pino";
import type { Database } from "../db/database.js";
import { applyAccepted } from "../db/projection.js";

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Failed = temporal.api.history.v1.IWorkflowTaskFailedEventAttributes;

/** Whether this build leads a run another way than the one that it ran with. */
export function isUnfit({ cause }: Failed): boolean {
  return cause === proto.temporal.api.enums.v1.WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR;
}

/**
 * A run that this build does not replay stands still and loses nothing: Temporal offers its task again until the build is back that it
 * ran with. A comment of the run says so, once for each time.
 */
export async function tellUnfit(
  { db, log }: { db: Database; log: Logger },
  { runId, execution, event, version }: { runId: string; execution: string; event: HistoryEvent; version: string },
): Promise<void> {
  const reason = event.workflowTaskFailedEventAttributes?.failure?.message ?? "its history does not fit";
  log.error({ run: runId, reason }, "a run stands still: this build does not replay it, the one that it ran with does");
  const text =
    `This Longhaul (${version}) would lead the run another way than it has gone, so it stands still. Nothing is lost: it goes on when the ` +
    `Longhaul that it ran with is back, or as a fork. ${reason}`;
  await applyAccepted(db, {
    type: "comment.created",
    run_id: runId,
    at: new Date(Number(event.eventTime?.seconds ?? 0) * 1_000).toISOString(),
    comment: {
      id: `${runId}-unfit-${execution.slice(-8)}-${event.eventId}`,
      run_id: runId,
      step_id: null,
      text,
      comment_type: "system",
      metadata: { version },
      created_by: null,
    },
  });
}
