import type { ApprovalAnswer } from "../contract/approval.js";
import type { Halt } from "../contract/halt.js";
import type { Json } from "../contract/json.js";
import { type DecidedPermit, PERMIT_FIELDS, type PermitAsking, type PermitQuery, type PermitScope } from "../contract/permit.js";
import type { AgentOptions } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { isAttended } from "./approval.js";
import { defined } from "./call.js";
import { conditionBy, deadlineOf } from "./deadline.js";
import type { Engine, Place } from "./engine.js";
import { millisecondsOf } from "./step-options.js";

/** How people are asked of a step; undefined when nobody is to be: then what is not allowed is refused. A StepFailed is what is wrong with it. */
export function askingOf(engine: Engine, key: string, ask: AgentOptions["ask"]): PermitAsking | StepFailed | undefined {
  if (ask === false || engine.place || !isAttended(engine)) return undefined;
  const { deadline, default: byDefault } = ask ?? {};
  if (byDefault !== undefined && byDefault !== "allow" && byDefault !== "deny")
    return new StepFailed(key, "invalid_input", `ask.default of "${key}" must be "allow" or "deny".`);
  try {
    const deadline_ms = deadline === undefined ? undefined : millisecondsOf(key, "ask.deadline", deadline);
    return defined({ deadline_ms, default: byDefault });
  } catch (error) {
    if (error instanceof StepFailed) return error;
    throw error;
  }
}

/**
 * Ask a person for what an agent wants to do: its step waits as an approval does, and is answered as one. What has been allowed for the run
 * meanwhile is not asked for again.
 */
export async function askPermit(
  engine: Engine,
  place: Place,
  { permit, message }: Halt & { why: "permission" },
  { deadline_ms, default: byDefault = "deny" }: PermitAsking = {},
): Promise<DecidedPermit> {
  const { approvals, permits, narrator } = engine;
  const { step } = place;
  const isGranted = () => !permit.question && permits.has(permit.rule);
  if (isGranted()) return decide(permit, grantedBefore());

  const { tool, input, reason, for_run } = permit;
  const request = approvals.nextRequest(step.id);
  const fields: Json = permit.question ?? PERMIT_FIELDS;
  const permission = { tool, input, ...defined({ reason, for_run }) };
  const since = new Date().toISOString();
  const asked = { kind: "approval" as const, step_id: step.id, message, since, request, fields, permission };
  approvals.begin(step.id, request);
  const answer = await engine
    .standStill(place, { ...asked, ...defined({ until: deadlineOf(deadline_ms) }) }, async () => {
      const isOver = () => approvals.answerOf(step.id) !== null || isGranted();
      await conditionBy(engine, isOver, deadline_ms, `${step.name}: ${message}`);
      const unanswered = () => (isGranted() ? grantedBefore() : byDeadline(byDefault === "allow" && !permit.question));
      return approvals.answerOf(step.id) ?? approvals.settle(step.id, unanswered());
    })
    .finally(() => approvals.end(step.id));

  const decided = decide(permit, answer);
  if (decided.allowed && decided.scope === "run") permits.add(permit.rule);
  const attempt = place.attempt + place.lost;
  narrator.tell({ type: "log", level: "info", text: lineOf(decided), step_id: step.id, attempt }, answer.at);
  return decided;
}

/** Somebody has allowed it in answer to another request. */
function grantedBefore(): ApprovalAnswer {
  const fields = { scope: "run" } satisfies { scope: PermitScope };
  return { approved: true, by: null, at: new Date().toISOString(), comment: "It was allowed for the run.", fields };
}

function byDeadline(approved: boolean): ApprovalAnswer {
  return { approved, by: null, at: new Date().toISOString() };
}

function decide(permit: PermitQuery, { approved: allowed, by, at, comment, fields }: ApprovalAnswer): DecidedPermit {
  if (permit.question) return { ...permit, allowed, scope: "once", by, at, ...defined({ comment, fields }) };
  const { scope = "once" } = (allowed ? (fields ?? {}) : {}) as { scope?: PermitScope }; // as its schema was checked
  return { ...permit, allowed, scope, by, at, ...defined({ comment }) };
}

function lineOf({ tool, allowed, scope, question, by, comment }: DecidedPermit): string {
  const who = by ?? "The deadline";
  const did = question ? (allowed ? "answered" : "did not answer") : allowed ? "allowed" : "refused";
  const held = question ? "the question" : `${tool}${allowed ? (scope === "run" ? " for the run" : " once") : ""}`;
  return `${who} ${did} ${held}${comment ? `: ${comment}` : ""}`;
}
