import { type ApprovalAnswer, type ApprovalInput, LEAST_REMIND_MS, problemOfQuorum, Quorum } from "../contract/approval.js";
import { LONGEST_MS } from "../contract/duration.js";
import type { Json } from "../contract/json.js";
import type { StepOptions } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { defined } from "./call.js";
import { conditionBy, deadlineOf, leftOf, refuseInside } from "./deadline.js";
import type { Engine, Place } from "./engine.js";
import { timed } from "./timed.js";

/** What is asked of people. */
export interface ApprovalRequest extends Quorum {
  message: string;
  /** JSON schema of the answer's fields. Left out: an answer has none. */
  fields?: Json | undefined;
  /** Milliseconds to wait. Left out: for ever. */
  deadlineMs?: number | undefined;
  /** The answer when nobody has answered by then. Left out: the step fails. */
  default?: "approve" | "reject" | undefined;
  /** Milliseconds after which they are reminded, again and again. Left out: never. */
  remindEveryMs?: number | undefined;
  /** A rejection fails the step. @default false: it is an answer */
  failRejected?: boolean;
}

/** Each leaves some entries in the run's history, which has an end. */
const MOST_REMINDERS = 500;

/**
 * A step that waits until people approve or reject. In a run that nobody attends it has its default at once.
 *
 * @throws {StepFailed} `approval_rejected` when that fails the step; `approval_timed_out` when the deadline passes and there is no default, `not_interactive` when nobody attends the run
 *   and there is none; `invalid_step` inside another step; `invalid_input` when those who are asked can never decide it.
 */
export async function approve(
  engine: Engine,
  key: string,
  request: ApprovalRequest,
  options: StepOptions = {},
): Promise<ApprovalAnswer> {
  refuseInside(engine, key, "An approval");
  const { message, fields, deadlineMs: deadline_ms, remindEveryMs: remind_every_ms } = request;
  const quorum = quorumOf(key, request);
  const input: ApprovalInput = {
    ...{ message, ...quorum },
    ...defined({ fields, deadline_ms, default: request.default, remind_every_ms }),
  };
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
          ...defined({ fields, until: deadlineOf(deadline_ms), approvers: quorum.approvers }),
          ...(isOfSeveral(quorum) && { required: quorum.required ?? 1, answers: [] }),
        }),
      }),
    },
    (place) => timed(() => answered(engine, place, request, quorum)),
  );
}

/** Whether somebody may answer. */
export function isAttended({ spec }: Engine): boolean {
  return spec.interactive !== false;
}

function isOfSeveral({ required = 1, rejections = 1 }: Quorum): boolean {
  return required > 1 || rejections > 1;
}

/** Code may say anything; a definition's was looked at before. */
function quorumOf(key: string, { approvers, required, rejections, remindEveryMs }: ApprovalRequest): Quorum {
  const refuse = (what: string) => new StepFailed(key, "invalid_input", `"${key}" cannot be asked: ${what}`);
  const checked = Quorum.safeParse(defined({ approvers, required, rejections }));
  if (!checked.success)
    throw refuse(checked.error.issues.map((issue) => `"${issue.path.join(".")}" ${issue.message}`).join("; "));
  const problem = problemOfQuorum(checked.data);
  if (problem !== null) throw refuse(problem);
  if (remindEveryMs !== undefined && remindEveryMs < LEAST_REMIND_MS) throw refuse("it reminds at most once a second.");
  return checked.data;
}

async function answered(engine: Engine, place: Place, request: ApprovalRequest, quorum: Quorum): Promise<ApprovalAnswer> {
  const { approvals } = engine;
  const { step } = place;
  if (!isAttended(engine) && !request.default) throw unattended(step.key);
  approvals.begin(step.id, undefined, quorum, place.wait);
  try {
    if (isAttended(engine)) await waited(engine, place, request);
    const answer = approvals.answerOf(step.id) ?? approvals.settle(step.id, answerByDefault(step.key, request));
    if (request.failRejected && !answer.approved) throw rejected(step.key, answer);
    return answer;
  } finally {
    approvals.end(step.id);
  }
}

/** Until it is decided, or the deadline has passed. Whoever is asked is reminded meanwhile: late, and once, when everything was down at that time. */
async function waited(
  engine: Engine,
  { step, wait }: Place,
  { message, deadlineMs, remindEveryMs }: ApprovalRequest,
): Promise<void> {
  const isOver = () => engine.approvals.answerOf(step.id) !== null;
  const began = wait ? Date.parse(wait.began) : Date.now();
  const all = leftOf(wait, deadlineMs);
  const end = all === undefined ? undefined : Date.now() + all;
  const left = () => (end === undefined ? undefined : Math.max(0, end - Date.now()));
  const summary = `${step.name}: waits for an answer`;
  const every = remindEveryMs ?? Number.POSITIVE_INFINITY;
  for (
    let reminder = 1 + Math.floor((Date.now() - began) / every);
    every < LONGEST_MS && reminder <= MOST_REMINDERS;
    reminder++
  ) {
    const pause = Math.max(1, began + reminder * every - Date.now());
    if ((left() ?? Number.POSITIVE_INFINITY) <= pause) break;
    await conditionBy(engine, isOver, pause, `${summary}, reminder ${reminder}`);
    if (isOver() || left() === 0) return;
    engine.narrator.tell({ type: "approval.reminded", step_id: step.id, reminder });
    engine.notes.tellComment(`Reminder ${reminder}: ${message}`, step.id, { reminder });
  }
  if (left() !== 0) await conditionBy(engine, isOver, left(), summary);
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
