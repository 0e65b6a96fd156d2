import { setTimeout as delay } from "node:timers/promises";
import { WorkflowNotFoundError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError } from "@temporalio/client";
import { ConflictError, InvalidError } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import { type AnswerMessage, UPDATE } from "../contract/messages.js";
import { isStepFinished, type Step } from "../contract/step.js";
import type { AskedApproval } from "../db/approvals.js";
import { getStep } from "../db/steps.js";
import { checkBySchema } from "../definition/fit-schema.js";
import type { ApiContext } from "./context.js";
import { HttpError } from "./problem.js";
import { isMessageLimit, temporalDeadline } from "./temporal-away.js";

/** Milliseconds that the answer may take to show in the step's row, once it is decided. */
const SHOWN_WITHIN = 5_000;
const SHOWN_POLL = 20;

/**
 * The fields of an answer, as the approval's schema has them: with its defaults.
 *
 * @throws {InvalidError} with every place that does not fit.
 */
export function checkFields({ key, fields }: AskedApproval, given: Json | undefined): Json | undefined {
  if (fields === undefined) {
    if (given === undefined) return undefined;
    throw new InvalidError(`The approval ${key} asks for no fields.`, [{ path: "fields", message: "is not asked for" }]);
  }
  const checked = checkBySchema(fields, given ?? {}, "fields");
  if (checked.ok) return checked.value;
  throw new InvalidError(checked.problems.map(({ path, message }) => `${path}: ${message}`).join("; "), checked.problems);
}

/**
 * Have the run decide whether this answer is the first. Asked again with the same id it decides the same.
 *
 * @returns the row id of the step that was answered.
 * @throws {ConflictError} `answered`; `finished` when the run has ended.
 * @throws {HttpError} 503 `worker_unavailable` when nobody runs the run just now.
 */
export async function askToAnswer(context: ApiContext, runId: string, message: AnswerMessage): Promise<string> {
  const { temporal } = context;
  try {
    const { step_id } = await temporal.withDeadline(temporalDeadline(), () =>
      temporal.workflow
        .getHandle(runId)
        .executeUpdate<{ step_id: string }, [AnswerMessage]>(UPDATE.answer, { args: [message], updateId: message.id }),
    );
    return step_id;
  } catch (error) {
    throw await refusalOf(context, error, message.step_id);
  }
}

async function refusalOf({ db }: ApiContext, error: unknown, stepId: string): Promise<unknown> {
  if (error instanceof WorkflowNotFoundError) return new ConflictError("The run has ended: it takes no answer.", "finished");
  if (error instanceof WorkflowUpdateFailedError) return new ConflictError(whyNot(await getStep(db, stepId)), "answered");
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    const message = "No worker has taken the answer yet; one that starts soon may still take it. Look before you answer again.";
    return new HttpError(503, "worker_unavailable", message);
  }
  if (isMessageLimit(error))
    return new HttpError(429, "too_many_signals", "This run cannot be told more before it is continued.");
  return error;
}

function whyNot({ kind, step_id, status, output, error }: Step): string {
  if (kind !== "approval")
    return `The step ${step_id} does not wait for this answer${isStepFinished(status) ? `: it is ${status}` : ""}.`;
  if (status === "completed") {
    const { approved, by, at } = output as { approved: boolean; by: string | null; at: string }; // an approval's output
    return `The approval ${step_id} was ${approved ? "approved" : "rejected"} already, ${by === null ? "by its deadline" : `by ${by}`} at ${at}.`;
  }
  if (status === "waiting") return `The approval ${step_id} was answered a moment ago, which is still to be written.`;
  if (error) return `The approval ${step_id} waits no more: ${error.message}`;
  return `The approval ${step_id} does not wait for an answer: it is ${status}.`;
}

/** The step, once it shows its answer; or as it is when that takes over 5 s. */
export async function answeredStep({ db }: ApiContext, stepId: string, request?: string): Promise<Step> {
  for (const end = Date.now() + SHOWN_WITHIN; ; ) {
    const step = await getStep(db, stepId);
    if (showsAnswer(step, request) || Date.now() >= end) return step;
    await delay(SHOWN_POLL);
  }
}

/** An approval ends with its answer; a step that may ask several times goes on, and may ask the next. */
export function showsAnswer({ status, waiting_for }: Step, request: string | undefined): boolean {
  return isStepFinished(status) || (request !== undefined && waiting_for?.request !== request);
}
