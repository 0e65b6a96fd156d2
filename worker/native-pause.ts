import type { Client } from "@temporalio/client";
import type { temporal } from "@temporalio/proto";
import type { Database } from "../db/database.js";
import { statusOf } from "../db/executions.js";
import { applyAccepted } from "../db/projection.js";
import { type NativeAct, sentenceOf, tellNative } from "./native-story.js";

/** Marks the requests that were made in Temporal itself. */
const NATIVE = "temporal-pause-";

type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;

/** A pause made in Temporal's own page or command line shows in the run's row and as a comment of it, and so does its end. */
export async function mirrorNativePause(db: Database, client: Client, runId: string, described: Description): Promise<void> {
  const row = await statusOf(db, runId);
  if (!row) return;
  const { pauseInfo } = described.workflowExtendedInfo ?? {};

  if (pauseInfo && row.status !== "paused") {
    const { identity, reason, pausedTime } = pauseInfo;
    const at = new Date(pausedTime ? Number(pausedTime.seconds) * 1000 : Date.now()).toISOString();
    const act: NativeAct = { action: "pause", identity: identity ?? "", reason: reason ?? "", at };
    await setStatus("paused", `${NATIVE}${pausedTime?.seconds ?? Date.now()}`, act);
  }
  if (!pauseInfo && row.status === "paused" && row.key?.startsWith(`status:${NATIVE}`)) {
    const act = await unpausing(client, runId);
    await setStatus("running", `resumed-${row.key.slice("status:".length)}`, act);
  }

  async function setStatus(status: "paused" | "running", request: string, act: NativeAct): Promise<void> {
    const at = new Date().toISOString();
    const reason = sentenceOf(act);
    await applyAccepted(db, { run_id: runId, at, type: "run.status", status, waiting_for: null, request, reason });
    await tellNative(db, client, runId, act);
  }
}

/** Who has let it go on, by its history. */
async function unpausing(client: Client, runId: string): Promise<NativeAct> {
  const { events } = await client.workflow.getHandle(runId).fetchHistory();
  const last = events?.findLast((event) => event.workflowExecutionUnpausedEventAttributes);
  const { identity, reason } = last?.workflowExecutionUnpausedEventAttributes ?? {};
  const at = new Date(last?.eventTime ? Number(last.eventTime.seconds) * 1000 : Date.now()).toISOString();
  return { action: "resume", identity: identity ?? "", reason: reason ?? "", at };
}
