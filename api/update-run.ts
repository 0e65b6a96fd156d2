import { setTimeout as delay } from "node:timers/promises";
import { ApplicationFailure, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError } from "@temporalio/client";
import { PASSING } from "../contract/messages.js";
import type { ApiContext } from "./context.js";
import { Lanes } from "./lanes.js";
import { HttpError } from "./problem.js";
import { isMessageLimit, temporalDeadline } from "./temporal-away.js";

/** Milliseconds until a run that is between two executions is asked again. */
const AGAIN = 200;

/** Temporal takes ten requests of one run at a time, and refuses the others. */
const lanes = new Lanes(8);

/**
 * Ask a run for something that it decides itself. Asked again with the same id it decides the same.
 *
 * @throws {HttpError} 503 `worker_unavailable` when nobody runs the run just now; 429.
 * @throws {WorkflowNotFoundError} when it has ended. {WorkflowUpdateFailedError} when it refuses.
 */
export async function updateRun<Answer, Message extends { id: string }>(
  { temporal }: ApiContext,
  runId: string,
  update: string,
  message: Message,
): Promise<Answer> {
  const latest = temporalDeadline();
  const handle = temporal.workflow.getHandle(runId);
  const ask = () =>
    lanes.run(runId, () => {
      if (Date.now() > latest) throw notTaken();
      const options = { args: [message] satisfies [Message], updateId: message.id };
      return temporal.withDeadline(temporalDeadline(), () => handle.executeUpdate<Answer, [Message]>(update, options));
    });
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) throw notTaken();
      if (isMessageLimit(error))
        throw new HttpError(429, "too_many_signals", "This run cannot be told more before it is continued.");
      if (!isPassing(error) || Date.now() > latest) throw error;
      await delay(AGAIN);
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure && error.cause.type === PASSING;
}

function notTaken(): HttpError {
  const message = "No worker has taken this yet; one that starts soon may still take it. Look before you ask again.";
  return new HttpError(503, "worker_unavailable", message);
}
