import type { ApprovalAnswerRow, RunRows, Told } from "./fact-rows.js";
import { changeWait } from "./fact-step.js";

/** Somebody has answered: a row that nothing changes any more, and what its step waits for now. */
export function keepAnswer(rows: RunRows, fact: Told<"approval.answered">): void {
  const { approved, comment = null, fields = null, decided } = fact;
  keep(rows, fact, { answer: approved ? "approve" : "reject", delegate: null, comment, fields, decided });
  changeWait(rows, fact);
}

/** Somebody has handed the answer to somebody else. */
export function keepDelegation(rows: RunRows, fact: Told<"approval.delegated">): void {
  keep(rows, fact, { answer: "delegate", delegate: fact.to, comment: fact.comment ?? null, fields: null, decided: false });
  changeWait(rows, fact);
}

type Said = Pick<ApprovalAnswerRow, "answer" | "delegate" | "comment" | "fields" | "decided">;

function keep(rows: RunRows, fact: Told<"approval.answered"> | Told<"approval.delegated">, said: Said): void {
  if (!rows.steps.has(fact.step_id)) return;
  const request = "request" in fact ? (fact.request ?? null) : null;
  const row = {
    ...said,
    id: fact.answer_id,
    runId: fact.run_id,
    stepId: fact.step_id,
    request,
    by: fact.by,
    at: new Date(fact.at),
  };
  rows.answers.set(row.id, row);
  rows.changed.add(row);
}
