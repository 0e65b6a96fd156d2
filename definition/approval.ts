import { LEAST_REMIND_MS, MOST_APPROVERS, problemOfQuorum, type Quorum } from "../contract/approval.js";
import { MOST_REWORKS, type PlanStep, type PlanWork, type Rework } from "../contract/plan.js";
import { USER_ID } from "../contract/user.js";
import { defined } from "./defined.js";
import { type Fields, fieldsOf, type TextRule } from "./fields.js";
import { schemaOf } from "./json-schema.js";
import { didYouMean } from "./nearest.js";
import type { Problems } from "./problems.js";
import type { Draft } from "./step.js";

type Approval = PlanWork & { kind: "approval" };

/** Names of users. */
const USER: TextRule = {
  pattern: { matches: USER_ID, words: 'the id of a user: small letters, digits, "_" and "-"' },
  max: 64,
};

/** How often work goes back when the definition does not say. */
const REWORKS = 3;

/** What people are asked, who may answer, and what becomes of a rejection. */
export function approvalWork(fields: Fields): Approval {
  return {
    kind: "approval",
    message: fields.template(fields.need("message")) ?? { literal: "" },
    ...defined({
      fields: schemaOf(fields, "fields"),
      deadline_ms: fields.duration("deadline", { min: 1, leastNumber: 1000 }),
      default: fields.oneOf("default", ["approve", "reject"]),
      remind_every_ms: fields.duration("remind_every", { min: LEAST_REMIND_MS }),
      on_reject: onRejectOf(fields),
    }),
    ...quorumOf(fields),
  };
}

function quorumOf(fields: Fields): Quorum {
  const quorum: Quorum = defined({
    approvers: fields.texts("approvers", USER),
    required: fields.int("required", { min: 1, max: MOST_APPROVERS }),
    rejections: fields.int("rejections", { min: 1, max: MOST_APPROVERS }),
  });
  const { approvers } = quorum;
  if (approvers && (approvers.length === 0 || approvers.length > MOST_APPROVERS)) {
    fields.problem("approvers", `"approvers" names 1 to ${MOST_APPROVERS} users. Leave it out, and anybody may answer.`);
    return quorum;
  }
  const problem = problemOfQuorum(quorum);
  if (problem !== null) fields.problem("approvers", problem);
  return quorum;
}

function onRejectOf(fields: Fields): Approval["on_reject"] {
  const node = fields.value("on_reject");
  if (node?.kind !== "map") return fields.oneOf("on_reject", ["fail", "continue"]) === "continue" ? "continue" : undefined;
  const reject = fieldsOf(node, fields.reading, '"on_reject"');
  const rework = reject?.text(reject.need("rework"), { max: 100 });
  const times = reject?.int("times", { min: 1, max: MOST_REWORKS }) ?? REWORKS;
  reject?.rest();
  return rework === undefined ? undefined : { rework, times };
}

/** Work goes back to an agent that has done it before, and can be told something: reports approvals that name another step. */
export function reportReworks(drafts: readonly Draft[], atTheEnd: readonly Draft[], problems: Problems): void {
  const whole = drafts.flatMap(withOtherwise);
  const byKey = new Map(whole.map((draft) => [draft.step.key, draft.step]));
  for (const { step, at } of whole) {
    const rework = reworkOf(step);
    if (!rework) continue;
    const agent = byKey.get(rework);
    const problem = problemOf(step, rework, agent, byKey);
    if (problem) problems.add(at, problem);
  }
  for (const { step, at } of atTheEnd.flatMap(withOtherwise)) {
    if (reworkOf(step)) problems.add(at, `"${step.key}" is done at the end: no work can go back from there.`);
  }
}

function problemOf(
  step: PlanStep,
  rework: string,
  agent: PlanStep | undefined,
  byKey: Map<string, PlanStep>,
): string | undefined {
  if (!agent) return `"${step.key}" sends work back to "${rework}", which is no step.${didYouMean(rework, byKey.keys())}`;
  if (step.for_each) return `"${step.key}" is asked for each of a list: nobody knows which work is to go back.`;
  if (agent.work.kind !== "agent" || agent.work.panel || agent.for_each)
    return `"${step.key}" sends work back to "${rework}", which is no step of a single agent.`;
  return isBefore(rework, step, byKey)
    ? undefined
    : `"${step.key}" sends work back to "${rework}", which need not be over by then: make it depend on it.`;
}

function isBefore(key: string, step: PlanStep, byKey: Map<string, PlanStep>, seen = new Set<string>()): boolean {
  return step.needs.some((need) => {
    if (need === key) return true;
    const needed = byKey.get(need);
    if (!needed || seen.has(need)) return false;
    seen.add(need);
    return isBefore(key, needed, byKey, seen);
  });
}

function reworkOf({ work }: PlanStep): Rework["rework"] | undefined {
  return work.kind === "approval" && typeof work.on_reject === "object" ? work.on_reject.rework : undefined;
}

function withOtherwise(draft: Draft): Draft[] {
  return draft.otherwise ? [draft, draft.otherwise] : [draft];
}
