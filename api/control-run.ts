import { setTimeout as delay } from "node:timers/promises";
import { WorkflowNotFoundError } from "@temporalio/client";
import { ConflictError } from "../contract/errors.js";
import { newId } from "../contract/id.js";
import { BY_LONGHAUL, type Request, SIGNAL } from "../contract/messages.js";
import { isFinished } from "../contract/run.js";
import { applyAccepted } from "../db/projection.js";
import { getRunState, type RunState } from "../db/runs.js";
import type { User } from "../db/tokens.js";
import type { ApiContext } from "./context.js";
import { signalRun } from "./tell-run.js";
import { temporalDeadline } from "./temporal-away.js";

/** Milliseconds that a cancellation may take before its answer is "asked, not done yet". */
const CANCEL_PATIENCE = 5_000;
const CANCEL_POLL = 100;

/** @throws {ConflictError} when the run has finished. Paused already: `now` stops what goes on still, and a pause of the run above becomes its own, too. */
export async function pauseRun(context: ApiContext, id: string, user: User, mode: "boundary" | "now"): Promise<void> {
  const run = await openRun(context, id);
  const request = { ...newRequest(user), mode };
  await signalOpen(context, id, SIGNAL.pause, request);
  if (run.status !== "paused") await applyStatus(context, id, "paused", request);
}

/** @throws {ConflictError} when the run is not paused. */
export async function resumeRun(context: ApiContext, id: string, user: User): Promise<void> {
  const run = await openRun(context, id);
  if (run.status !== "paused") throw new ConflictError(`The run is ${run.status}, not paused.`, "not_paused");
  const request = newRequest(user);
  await unpauseInTemporal(context, id, user);
  await signalOpen(context, id, SIGNAL.resume, request);
  await applyStatus(context, id, "running", request);
}

/**
 * Cancel a run, and wait a little for its end.
 *
 * @param patience milliseconds
 * @returns whether nothing of it is left running.
 * @throws {ConflictError} when it has finished, or finishes otherwise before the cancellation reaches it.
 */
export async function cancelRun(
  context: ApiContext,
  id: string,
  user: User,
  { reason, patience = CANCEL_PATIENCE }: { reason?: string | undefined; patience?: number } = {},
): Promise<boolean> {
  const { status: before } = await openRun(context, id);
  await signalOpen(context, id, SIGNAL.cancel, { ...newRequest(user), ...(reason === undefined ? {} : { reason }) });
  await cancelExecution(context, id);
  if (before === "paused") await unpauseInTemporal(context, id, user);

  for (const end = Date.now() + patience; ; ) {
    const { status } = await getRunState(context.db, id);
    if (status === "cancelled") return true;
    if (isFinished(status)) throw hasEnded(status);
    if (Date.now() >= end) return false;
    await delay(CANCEL_POLL);
  }
}

async function cancelExecution({ temporal }: ApiContext, id: string): Promise<void> {
  try {
    await temporal.withDeadline(temporalDeadline(), () => temporal.workflow.getHandle(id).cancel());
  } catch (error) {
    // It ended between the two requests: its row will say how.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

/** One that was paused in Temporal's own page hears nothing until it is let go on there, not even that it is cancelled. */
async function unpauseInTemporal({ temporal, namespace }: ApiContext, id: string, user: User): Promise<void> {
  const { workflowService } = temporal.connection;
  const execution = { workflowId: id };
  await temporal.withDeadline(temporalDeadline(), async () => {
    const { workflowExtendedInfo } = await workflowService.describeWorkflowExecution({ namespace, execution });
    if (!workflowExtendedInfo?.pauseInfo) return;
    const identity = `${BY_LONGHAUL}${user.id}`;
    await workflowService.unpauseWorkflowExecution({ namespace, workflowId: id, identity, requestId: newId("req") });
  });
}

async function openRun({ db }: ApiContext, id: string): Promise<RunState> {
  const run = await getRunState(db, id);
  if (isFinished(run.status)) throw hasEnded(run.status);
  return run;
}

async function signalOpen(context: ApiContext, id: string, signal: string, request: Request): Promise<void> {
  if (await signalRun(context, id, signal, request)) return;
  throw hasEnded((await getRunState(context.db, id)).status);
}

async function applyStatus({ db }: ApiContext, id: string, status: "paused" | "running", request: Request): Promise<void> {
  await applyAccepted(db, { type: "run.status", run_id: id, at: request.at, status, waiting_for: null, request: request.id });
}

function newRequest(user: User): Request {
  return { id: newId("req"), at: new Date().toISOString(), by: user.id };
}

function hasEnded(status: RunState["status"]): ConflictError {
  return new ConflictError(isFinished(status) ? `The run is ${status} already.` : "The run has ended.", "finished");
}
