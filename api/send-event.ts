import { WorkflowNotFoundError } from "@temporalio/client";
import { ConflictError } from "../contract/errors.js";
import { type EventMessage, SIGNAL } from "../contract/messages.js";
import type { ApiContext } from "./context.js";
import { HttpError } from "./problem.js";
import { signalRun } from "./tell-run.js";
import { temporalDeadline } from "./temporal-away.js";

/** Bytes of an event's payload: as much as one step may put into a history. */
export const EVENT_LIMIT = 65_536;

/** A history that has grown to this takes no more events: Temporal ends it at 51,200 events or 50 MiB, and the run is to have room to go on. */
const MOST_EVENTS = 30_000;
const MOST_BYTES = 30 * 1024 * 1024;

/**
 * Send an event to a run. It is kept until a step takes it.
 *
 * @throws {ConflictError} `finished` when the run has ended.
 * @throws {HttpError} 429 when the run has been told as much as its history holds.
 */
export async function sendEvent(context: ApiContext, runId: string, message: EventMessage): Promise<void> {
  await refuseFull(context, runId);
  if (!(await signalRun(context, runId, SIGNAL.event, message))) throw hasEnded();
}

async function refuseFull({ temporal }: ApiContext, runId: string): Promise<void> {
  const describe = () => temporal.workflow.getHandle(runId).describe();
  const { historyLength, historySize = 0 } = await temporal.withDeadline(temporalDeadline(), describe).catch(asEnded);
  if (historyLength < MOST_EVENTS && historySize < MOST_BYTES) return;
  throw new HttpError(429, "too_many_signals", "This run cannot be told more before it is continued.");
}

/** What Temporal does not know any more ended long ago. */
function asEnded(error: unknown): never {
  throw error instanceof WorkflowNotFoundError ? hasEnded() : error;
}

function hasEnded(): ConflictError {
  return new ConflictError("The run has ended: it takes no event.", "finished");
}
