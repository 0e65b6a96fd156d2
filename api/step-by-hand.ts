import { setTimeout as delay } from "node:timers/promises";
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { ConflictError } from "../contract/errors.js";
import { type StepMessage, UPDATE } from "../contract/messages.js";
import { isStepFinished, type Step } from "../contract/step.js";
import { recordAudit } from "../db/audit.js";
import { getStep } from "../db/steps.js";
import type { ApiContext } from "./context.js";
import { updateRun } from "./update-run.js";

/** Milliseconds that it may take to show: what runs is stopped first. */
const SHOWN_WITHIN = 5_000;
const SHOWN_POLL = 40;

/**
 * Skip, retry or complete a step that is under way, as its run decides, and write down who did it and why.
 *
 * @returns whether the step shows it yet, and how it is.
 * @throws {ConflictError} `finished`, `not_open`, `decided`, `not_waiting` (nothing to retry), `asks` (it is answered instead)
 * @throws {HttpError} 503 `worker_unavailable` when nobody runs the run just now; 429
 */
export async function takeInHand(context: ApiContext, step: Step, message: StepMessage): Promise<{ shown: boolean; step: Step }> {
  refuseFinished(step);
  const { db } = context;
  try {
    await updateRun(context, step.run_id, UPDATE.step, message);
  } catch (error) {
    throw await refusalOf(context, error, step);
  }
  const { action, by, reason = null } = message;
  const data = { run_id: step.run_id, key: step.step_id, was: step.status, attempt: step.attempt, reason };
  await recordAudit(db, { user_id: by, action: `step.${action}`, subject: step.id, data });

  for (const end = Date.now() + SHOWN_WITHIN; ; ) {
    const now = await getStep(db, step.id);
    const shown = action === "retry" ? hasGoneOn(step, now) : isStepFinished(now.status);
    if (shown || Date.now() >= end) return { shown, step: now };
    await delay(SHOWN_POLL);
  }
}

/** It does not wait for what it did before. */
function hasGoneOn(before: Step, now: Step): boolean {
  return now.status !== before.status || now.attempt !== before.attempt || now.waiting_for?.since !== before.waiting_for?.since;
}

/** @throws {ConflictError} `finished` */
export function refuseFinished({ step_id, status }: Step): void {
  if (isStepFinished(status)) throw new ConflictError(`The step ${step_id} is ${status} already.`, "finished");
}

async function refusalOf({ db }: ApiContext, error: unknown, { id, run_id }: Step): Promise<unknown> {
  if (error instanceof WorkflowNotFoundError) return new ConflictError("The run has ended, and the step with it.", "finished");
  if (error instanceof WorkflowUpdateFailedError) {
    const step = await getStep(db, id);
    if (isStepFinished(step.status)) return new ConflictError(`The step ${step.step_id} is ${step.status} already.`, "finished");
    const code = error.cause instanceof ApplicationFailure ? (error.cause.type ?? "conflict") : "conflict";
    return new ConflictError(whyNot(step, code, run_id), code);
  }
  return error;
}

function whyNot({ step_id, status }: Step, code: string, runId: string): string {
  switch (code) {
    case "not_waiting":
      return `The step ${step_id} is ${status}: there is no further try that it waits for.`;
    case "asks":
      return `The step ${step_id} asks for an answer: approve or reject it by /api/runs/${runId}/approvals/${step_id}, or skip it.`;
    case "decided":
      return `The step ${step_id} is ${status}, and somebody has skipped or completed it a moment ago.`;
    default:
      return `The step ${step_id} is ${status}, and its run does nothing for it just now.`;
  }
}
