import { ApplicationFailure } from "@temporalio/workflow";
import type { ApprovalAnswer, ApprovalInput } from "../contract/approval.js";
import type { Json } from "../contract/json.js";
import type { AnswerMessage } from "../contract/messages.js";
import type { StepOptions } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { defined } from "./call.js";
import { conditionBy, deadlineOf, refuseInside } from "./deadline.js";
import type { Engine, Place } from "./engine.js";
import type { Narrator } from "./narrator.js";
import { timed } from "./timed.js";

/** What is asked of a person. */
export interface ApprovalRequest {
  message: string;
  /** JSON schema of the answer's fields. Left out: an answer has none. */
  fields?: Json | undefined;
  /** Milliseconds to wait. Left out: for ever. */
  deadlineMs?: number | undefined;
  /** The answer when nobody has answered by then. Left out: the step fails. */
  default?: "approve" | "reject" | undefined;
  /** A rejection fails the step. @default false: it is an answer */
  failRejected?: boolean;
}

/**
 * A step that waits until somebody approves or rejects. In a run that nobody attends it has its default at once.
 *
 * @throws {StepFailed} `approval_rejected` when that fails the step; `approval_timed_out` when the deadline passes and there is no default, `not_interactive` when nobody attends the run
 *   and there is none; `invalid_step` inside another step.
 */
export async function approve(
  engine: Engine,
  key: string,
  request: ApprovalRequest,
  options: StepOptions = {},
): Promise<ApprovalAnswer> {
  refuseInside(engine, key, "An approval");
  const { message, fields, deadlineMs } = request;
  const input: ApprovalInput = { message, ...defined({ fields, deadline_ms: deadlineMs, default: request.default }) };
  return engine.step(
    {
      kind: "approval",
      key,
      options,
      input: input as { [field: string]: Json },
      ...(isAttended(engine) && {
        waiting: (step) => ({
          kind: "approval",
          step_id: step.id,
          message,
          since: new Date().toISOString(),
          ...defined({ fields, until: deadlineOf(deadlineMs) }),
        }),
      }),
    },
    (place) => timed(() => answered(engine, place, request)),
  );
}

/** The approvals of a run that wait for an answer. */
export class Approvals {
  private readonly open = new Map<string, { request: string | undefined; answer: ApprovalAnswer | null }>();

  private readonly requests = new Map<string, number>();

  constructor(
    private readonly runId: string,
    private readonly narrator: Narrator,
  ) {}

  /** Names the next of several things that a step asks. */
  nextRequest(stepId: string): string {
    const count = (this.requests.get(stepId) ?? 0) + 1;
    this.requests.set(stepId, count);
    return `${stepId}-q${count}`;
  }

  /** @param request names what is asked, of a step that may ask several times: an answer to another one is refused. */
  begin(stepId: string, request?: string): void {
    this.open.set(stepId, { request, answer: null });
  }

  end(stepId: string): void {
    this.open.delete(stepId);
  }

  answerOf(stepId: string): ApprovalAnswer | null {
    return this.open.get(stepId)?.answer ?? null;
  }

  /** @throws {ApplicationFailure} `answered` unless the step waits for an answer: who answers first decides. */
  check({ step_id, request }: AnswerMessage): void {
    const open = this.open.get(step_id);
    if (open && open.answer === null && open.request === request) return;
    const message = `The step ${step_id} of the run ${this.runId} does not wait for an answer.`;
    throw ApplicationFailure.nonRetryable(message, "answered");
  }

  /** Take an answer that was checked. */
  answer({ step_id, at, by, approved, comment, fields }: AnswerMessage): { step_id: string } {
    this.settle(step_id, { approved, by, at, ...defined({ comment, fields }) });
    return { step_id };
  }

  settle(stepId: string, answer: ApprovalAnswer): ApprovalAnswer {
    const request = this.open.get(stepId)?.request;
    this.open.set(stepId, { request, answer });
    const { approved, by, at } = answer;
    this.narrator.tell({ type: "approval.answered", step_id: stepId, approved, by, ...defined({ request }) }, at);
    return answer;
  }
}

/** Whether somebody may answer. */
export function isAttended({ spec }: Engine): boolean {
  return spec.interactive !== false;
}

async function answered(engine: Engine, { step }: Place, request: ApprovalRequest): Promise<ApprovalAnswer> {
  const { approvals } = engine;
  if (!isAttended(engine) && !request.default) throw unattended(step.key);
  approvals.begin(step.id);
  try {
    const isAnswered = () => approvals.answerOf(step.id) !== null;
    if (isAttended(engine)) await conditionBy(isAnswered, request.deadlineMs, `${step.name}: waits for an answer`);
    const answer = approvals.answerOf(step.id) ?? approvals.settle(step.id, answerByDefault(step.key, request));
    if (request.failRejected && !answer.approved) throw rejected(step.key, answer);
    return answer;
  } finally {
    approvals.end(step.id);
  }
}

function unattended(key: string): StepFailed {
  const message = `"${key}" asks for an answer, and the run was started as one that nobody attends (interactive: false).`;
  return new StepFailed(key, "not_interactive", `${message} Give the approval a default, or start the run without that.`);
}

function rejected(key: string, answer: ApprovalAnswer): StepFailed {
  const { by, comment } = answer;
  const message = `${by ?? "The approval's default"} rejected "${key}"${comment ? `: ${comment}` : "."}`;
  return new StepFailed(key, "approval_rejected", message, answer);
}

function answerByDefault(key: string, { default: answer, deadlineMs }: ApprovalRequest): ApprovalAnswer {
  if (answer) return { approved: answer === "approve", by: null, at: new Date().toISOString() };
  throw new StepFailed(key, "approval_timed_out", `Nobody has answered "${key}" within ${deadlineMs} ms.`);
}
