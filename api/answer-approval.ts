import { setTimeout as delay } from "node:timers/promises";
import { ApplicationFailure, WorkflowNotFoundError, WorkflowUpdateFailedError } from "@temporalio/client";
import { ConflictError, InvalidError } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import type { Answered, AnswerMessage, DelegateMessage, UPDATE } from "../contract/messages.js";
import { isStepFinished, type Step } from "../contract/step.js";
import { type AskedApproval, isApprovalRecord } from "../db/approvals.js";
import { getStep } from "../db/steps.js";
import { checkBySchema } from "../definition/fit-schema.js";
import type { ApiContext } from "./context.js";
import { HttpError } from "./problem.js";
import { updateRun } from "./update-run.js";

/** Milliseconds that the answer may take to show in the step's row, once it is decided. */
const SHOWN_WITHIN = 5_000;
const SHOWN_POLL = 20;

/** What a run is asked, by the name of the update. */
interface Messages {
  [UPDATE.answer]: AnswerMessage;
  [UPDATE.delegate]: DelegateMessage;
}

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
 * Have the run decide whether this answer counts, or whether it can be handed over. Asked again with the same id it decides the same.
 *
 * @throws {ConflictError} `answered`; `not_delegated`; `finished` when the run has ended.
 * @throws {HttpError} 403 `not_approver` when others are asked; 503 `worker_unavailable` when nobody runs the run just now.
 */
export async function askRun<Name extends keyof Messages>(
  context: ApiContext,
  runId: string,
  update: Name,
  message: Messages[Name],
): Promise<Answered> {
  try {
    return await updateRun(context, runId, update, message);
  } catch (error) {
    throw await refusalOf(context, error, message.step_id);
  }
}

async function refusalOf({ db }: ApiContext, error: unknown, stepId: string): Promise<unknown> {
  if (error instanceof WorkflowNotFoundError) return new ConflictError("The run has ended: it takes no answer.", "finished");
  if (error instanceof WorkflowUpdateFailedError) {
    const { type, message } = error.cause instanceof ApplicationFailure ? error.cause : {};
    if (type === "not_approver") return new HttpError(403, type, message ?? "");
    if (type === "not_delegated") return new ConflictError(message ?? "", type);
    if (type === "has_answered") return new ConflictError(message ?? "", "answered");
    return new ConflictError(whyNot(await getStep(db, stepId)), "answered");
  }
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

/** The step, once it shows what was said; or as it is when that takes over 5 s. */
export async function answeredStep(
  { db }: ApiContext,
  { step_id, id, decided }: Answered,
  request?: string,
): Promise<{ step: Step; isShown: boolean }> {
  for (const end = Date.now() + SHOWN_WITHIN; ; ) {
    const isKept = await isApprovalRecord(db, id);
    const step = await getStep(db, step_id);
    const isShown = isKept && (!decided || showsAnswer(step, request));
    if (isShown || Date.now() >= end) return { step, isShown };
    await delay(SHOWN_POLL);
  }
}

/** An approval ends with the answer that decides it; a step that may ask several times goes on, and may ask the next. */
function showsAnswer({ status, waiting_for }: Step, request: string | undefined): boolean {
  return isStepFinished(status) || (request !== undefined && waiting_for?.request !== request);
}
