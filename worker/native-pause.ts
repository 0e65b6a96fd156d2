import type { temporal } from "@temporalio/proto";
import type { Database } from "../db/database.js";
import { statusOf } from "../db/executions.js";
import { applyAccepted } from "../db/projection.js";

/** Marks the requests that were made in Temporal itself. */
const NATIVE = "temporal-pause-";

type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;

/** A pause made in Temporal's own page or command line shows in the run's row, and so does its end. */
export async function mirrorNativePause(db: Database, runId: string, described: Description): Promise<void> {
  const row = await statusOf(db, runId);
  if (!row) return;
  const { pauseInfo } = described.workflowExtendedInfo ?? {};
  const at = new Date();

  if (pauseInfo && row.status !== "paused") {
    const request = `${NATIVE}${pauseInfo.pausedTime?.seconds ?? at.getTime()}`;
    const reason = `Paused in Temporal by ${pauseInfo.identity ?? "someone"}${pauseInfo.reason ? `: ${pauseInfo.reason}` : ""}`;
    await applyAccepted(db, {
      run_id: runId,
      at: at.toISOString(),
      type: "run.status",
      status: "paused",
      waiting_for: null,
      request,
      reason,
    });
  }
  if (!pauseInfo && row.status === "paused" && row.key?.startsWith(`status:${NATIVE}`)) {
    const request = `resumed-${row.key.slice("status:".length)}`;
    const reason = "Resumed in Temporal";
    await applyAccepted(db, {
      run_id: runId,
      at: at.toISOString(),
      type: "run.status",
      status: "running",
      waiting_for: null,
      request,
      reason,
    });
  }
}
