import { createHash } from "node:crypto";
import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import type { AcceptedFact } from "../contract/fact.js";
import { BY_LONGHAUL, SIGNAL } from "../contract/messages.js";
import { recordAudit } from "../db/audit.js";
import { isCommentOf } from "../db/comments.js";
import type { Database } from "../db/database.js";
import { projectPathOf } from "../db/executions.js";
import { applyAccepted } from "../db/projection.js";
import { appendLateFact } from "../db/rebuild.js";
import type { History } from "./replayer.js";

/** Something that was done to a run in Temporal's own page or command line. */
export interface NativeAct {
  action: "pause" | "resume" | "cancel" | "terminate";
  /** Who, as Temporal knows them. */
  identity: string;
  reason: string;
  at: string;
}

const DID = { pause: "Paused", resume: "Resumed", cancel: "Cancelled", terminate: "Terminated" };

/** `Paused in Temporal by someone: a look` */
export function sentenceOf({ action, identity, reason }: NativeAct): string {
  return `${DID[action]} in Temporal${identity ? ` by ${identity}` : ""}${reason ? `: ${reason}` : ""}`;
}

/** Say once, in a comment of the run and in the audit trail, that something was done to it in Temporal itself. */
export async function tellNative(db: Database, client: Client, runId: string, act: NativeAct): Promise<void> {
  const { action, identity, reason, at } = act;
  if (identity.startsWith(BY_LONGHAUL)) return;
  const id = `${runId}-t${createHash("sha256").update(`${action} ${at}`).digest("hex").slice(0, 16)}`;
  if (await isCommentOf(db, runId, id)) return;

  const metadata = { from: "temporal", action, identity, reason };
  const text = sentenceOf(act);
  const comment = { id, run_id: runId, step_id: null, text, metadata, comment_type: "system" as const, created_by: null };
  const fact: AcceptedFact = { run_id: runId, at, type: "comment.created", comment };
  const heard = await client.workflow
    .getHandle(runId)
    .signal(SIGNAL.comment, { at, comment })
    .then(
      () => true,
      (error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      },
    );
  const project = heard ? null : await projectPathOf(db, runId);
  if (project) await appendLateFact(project, fact);
  await applyAccepted(db, fact);
  await recordAudit(db, { user_id: null, action: `run.${action}`, subject: runId, data: metadata });
}

/** How a history says that its run was cancelled or terminated in Temporal itself; null when it was not, or by Longhaul. */
export function nativeEnding({ events }: History): NativeAct | null {
  for (const event of events ?? []) {
    const { workflowExecutionSignaledEventAttributes: signal, workflowExecutionTerminatedEventAttributes: end } = event;
    const { workflowExecutionCancelRequestedEventAttributes: cancel } = event;
    if (signal?.signalName === SIGNAL.cancel) return null; // comes right before the cancel that it is the reason of
    const { seconds, nanos } = event.eventTime ?? {};
    const at = new Date(Number(seconds ?? 0) * 1000 + Math.floor((nanos ?? 0) / 1e6)).toISOString();
    if (cancel?.externalWorkflowExecution?.workflowId) return null; // of the run above
    if (cancel) return { action: "cancel", identity: cancel.identity ?? "", reason: cancel.cause ?? "", at };
    if (end) return { action: "terminate", identity: end.identity ?? "", reason: end.reason ?? "", at };
  }
  return null;
}
