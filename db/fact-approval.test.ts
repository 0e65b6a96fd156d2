import { afterAll, beforeAll, expect, test } from "vitest";
import type { Fact } from "../contract/fact.js";
import * as told from "../test/support/told-run.js";
import { listApprovalRecords } from "./approvals.js";
import type { Database } from "./database.js";
import { recreateMirror } from "./migrate.js";
import { applyFacts } from "./projection.js";
import { correctRun } from "./projection-correct.js";
import { rebuildRun } from "./rebuild.js";
import { getRun } from "./runs.js";

let db: Database;
let url: string;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ db, url, close } = await told.preparedDatabase());
});
afterAll(() => close());

test("while a second person is awaited, run and step say who has answered and who may; nobody is asked once it is decided", async () => {
  const facts = askedRun("run_a");
  const until = (type: Fact["type"]) => facts.slice(0, facts.findIndex((fact) => fact.type === type) + 1);
  await applyFacts(db, "run_a", "e1", until("approval.delegated"));

  const waits = { required: 2, approvers: ["ana", "dan"], answers: [{ by: "ana", approved: true, comment: "fine" }] };
  expect(await getRun(db, "run_a")).toMatchObject({ status: "waiting", waiting_for: waits, steps: [{ waiting_for: waits }] });

  await applyFacts(db, "run_a", "e1", facts);
  expect(await getRun(db, "run_a")).toMatchObject({ status: "completed", waiting_for: null, steps: [{ waiting_for: null }] });
});

test("what was said is kept row for row: told again, corrected, and rebuilt from the histories", async () => {
  const facts = askedRun("run_b");
  await applyFacts(db, "run_b", "e1", facts);
  const said = await listApprovalRecords(db, "run_b", { limit: 10 });
  expect(said.items.toReversed()).toMatchObject([
    { id: "run_b-1-a1", step_id: "run_b-1", answer: "approve", by: "ana", comment: "fine", decided: false },
    { id: "run_b-1-a2", answer: "delegate", by: "ben", delegate: "dan", decided: false },
    { id: "run_b-1-a3", answer: "approve", by: "dan", fields: { ticket: "T-7" }, decided: true },
  ]);
  const before = await told.mirrorOf(db, "run_b");

  await applyFacts(db, "run_b", "e1", facts);
  expect(await correctRun(db, "run_b", [{ execution: "e1", facts }])).toEqual([]);
  expect(await told.mirrorOf(db, "run_b")).toEqual(before);

  await recreateMirror(url);
  await rebuildRun(db, { runId: "run_b", executions: [{ execution: "e1", facts }], events: null, late: [] });
  expect(await told.mirrorOf(db, "run_b")).toEqual(before);
});

test("an answer that never became true leaves with the correction", async () => {
  const facts = askedRun("run_c");
  await applyFacts(db, "run_c", "e1", facts);
  const without = facts
    .filter((fact) => fact.type !== "approval.delegated")
    .map((fact, i) => (fact.seq === i + 1 ? fact : { ...fact, seq: i + 1 }));

  await correctRun(db, "run_c", [{ execution: "e1", facts: without }]);

  const { items } = await listApprovalRecords(db, "run_c", { limit: 10 });
  expect(items.map(({ answer }) => answer)).toEqual(["approve", "approve"]);
});

/** One of two who are needed approves; the other hands it over, all are reminded, and the deputy approves. */
function askedRun(runId: string): Fact[] {
  const step_id = `${runId}-1`;
  const waits = { kind: "approval" as const, step_id, message: "Ship it?", required: 2, approvers: ["ana", "ben"] };
  const first = { ...waits, answers: [{ approved: true, by: "ana", at: told.second(5), comment: "fine" }] };
  const ids = (n: number) => ({ step_id, answer_id: `${step_id}-a${n}` });
  return told.narration(runId, "e1", [
    told.created(runId),
    told.status("running"),
    told.stepStarted(runId, 1, "sure", { kind: "approval" }),
    { type: "step.waiting", step_id, waiting_for: waits },
    { type: "run.status", status: "waiting", waiting_for: waits },
    { type: "approval.answered", ...ids(1), approved: true, by: "ana", comment: "fine", decided: false, waiting_for: first },
    { type: "approval.reminded", step_id, reminder: 1 },
    { type: "approval.delegated", ...ids(2), by: "ben", to: "dan", waiting_for: { ...first, approvers: ["ana", "dan"] } },
    { type: "approval.answered", ...ids(3), approved: true, by: "dan", fields: { ticket: "T-7" }, decided: true },
    told.stepFinished(runId, 1),
    told.status("running"),
    told.finished("completed"),
  ]);
}
