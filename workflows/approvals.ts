import { ApplicationFailure } from "@temporalio/workflow";
import type { ApprovalAnswer, GivenAnswer, Quorum } from "../contract/approval.js";
import type { Answered, AnswerMessage, DelegateMessage } from "../contract/messages.js";
import type { OpenWait } from "../contract/seed.js";
import { defined } from "./call.js";
import type { Life } from "./life.js";
import type { Narrator } from "./narrator.js";
import { type Ballot, delegated, mayAnswer, verdictOf } from "./quorum.js";

interface Open extends Ballot {
  /** Names what is asked, of a step that may ask several times. */
  request: string | undefined;
  answer: ApprovalAnswer | null;
}

/** The approvals of a run that wait for an answer, and who may give it. */
export class Approvals {
  private readonly open = new Map<string, Open>();
  private readonly requests = new Map<string, number>();
  private readonly said = new Map<string, number>();

  constructor(
    private readonly runId: string,
    private readonly narrator: Narrator,
    private readonly life: Life,
  ) {}

  /** Names the next of several things that a step asks. */
  nextRequest(stepId: string): string {
    return `${stepId}-q${next(this.requests, stepId)}`;
  }

  /**
   * @param request names what is asked, of a step that may ask several times: an answer to another one is refused.
   * @param quorum left out: anybody may answer, and who answers first decides.
   * @param wait how it was left in an earlier execution.
   */
  begin(stepId: string, request?: string, quorum: Quorum = {}, wait?: OpenWait): void {
    const { approvers, answers = [] } = wait?.waiting_for ?? {};
    const open = { ...quorum, ...defined({ approvers }), request, given: answers, answer: wait?.answer ?? null };
    this.open.set(stepId, open);
    if (wait?.said !== undefined) this.said.set(stepId, wait.said);
  }

  /** What a step that waits for an answer needs to go on waiting in a further execution. */
  handOver(stepId: string): Pick<OpenWait, "answer" | "said"> {
    const { answer = null } = this.open.get(stepId) ?? {};
    return { ...(answer && { answer }), ...defined({ said: this.said.get(stepId) }) };
  }

  end(stepId: string): void {
    this.open.delete(stepId);
  }

  answerOf(stepId: string): ApprovalAnswer | null {
    return this.open.get(stepId)?.answer ?? null;
  }

  /** @throws {ApplicationFailure} `answered` unless the step waits for this person's answer; `not_approver` when it waits for others'. */
  check({ step_id, request, by }: AnswerMessage): void {
    mayAnswer(this.waiting(step_id, request), by, nameOf(step_id));
  }

  /** Take an answer that was checked. */
  answer({ step_id, at, by, approved, comment, fields }: AnswerMessage): Answered {
    const open = this.waiting(step_id, this.requestOf(step_id));
    const answer: GivenAnswer = { approved, by, at, ...defined({ comment, fields }) };
    const given = [...open.given, answer];
    const verdict = verdictOf({ ...open, given });
    if (verdict !== null) return this.decide(step_id, { ...answer, approved: verdict, ...severalOf(open, given) }, answer);
    this.open.set(step_id, { ...open, given });
    const waiting_for = this.life.waitOn(step_id, { answers: given });
    const id = this.idOf(step_id);
    this.narrator.tell({ type: "approval.answered", step_id, answer_id: id, ...answer, decided: false, waiting_for }, at);
    return { step_id, id, decided: false };
  }

  /** @throws {ApplicationFailure} when it is not this person's to hand over, or cannot be. */
  checkDelegation(message: DelegateMessage): void {
    this.delegatedBy(message);
  }

  /** Take a delegation that was checked. */
  delegate(message: DelegateMessage): Answered {
    const { step_id, at, by, to, comment } = message;
    const approvers = this.delegatedBy(message);
    this.open.set(step_id, { ...this.waiting(step_id, this.requestOf(step_id)), approvers });
    const waiting_for = this.life.waitOn(step_id, { approvers });
    const id = this.idOf(step_id);
    this.narrator.tell({ type: "approval.delegated", step_id, answer_id: id, by, to, ...defined({ comment }), waiting_for }, at);
    return { step_id, id, decided: false };
  }

  /** What nobody has said decides: a deadline's default, or what was said to another request. */
  settle(stepId: string, answer: ApprovalAnswer): ApprovalAnswer {
    const open = this.open.get(stepId);
    const whole = open ? { ...answer, ...severalOf(open, open.given) } : answer;
    this.decide(stepId, whole, answer);
    return whole;
  }

  private decide(step_id: string, whole: ApprovalAnswer, { at, ...answer }: GivenAnswer): Answered {
    const open = this.open.get(step_id);
    const request = open?.request;
    this.open.set(step_id, { given: [], ...open, request, answer: whole });
    const id = this.idOf(step_id);
    const { approved, by, comment, fields } = answer;
    const said = { approved, by, ...defined({ comment, fields, request }) };
    this.narrator.tell({ type: "approval.answered", step_id, answer_id: id, ...said, decided: true }, at);
    return { step_id, id, decided: true };
  }

  private delegatedBy({ step_id, by, to }: DelegateMessage): string[] {
    return delegated(this.waiting(step_id, this.requestOf(step_id)), { by, to }, nameOf(step_id));
  }

  private requestOf(stepId: string): string | undefined {
    return this.open.get(stepId)?.request;
  }

  private waiting(stepId: string, request: string | undefined): Open {
    const open = this.open.get(stepId);
    if (open && open.answer === null && open.request === request) return open;
    const message = `The step ${stepId} of the run ${this.runId} does not wait for an answer.`;
    throw ApplicationFailure.nonRetryable(message, "answered");
  }

  private idOf(stepId: string): string {
    return `${stepId}-a${next(this.said, stepId)}`;
  }
}

function next(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}

/** Where it takes several people, who said what. */
function severalOf({ required = 1, rejections = 1 }: Quorum, given: readonly GivenAnswer[]): Pick<ApprovalAnswer, "answers"> {
  return required > 1 || rejections > 1 ? { answers: [...given] } : {};
}

function nameOf(stepId: string): string {
  return `the approval ${stepId}`;
}
