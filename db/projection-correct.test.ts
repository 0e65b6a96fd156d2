import { asc, eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { applyAccepted, applyFacts } from "./projection.js";
import { correctRun, settleRun } from "./projection-correct.js";
import * as table from "./schema.js";

let db: Database;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ db, close } = await told.preparedDatabase());
});

afterAll(() => close());

describe("a closed run", () => {
  test("that was told right stays as it is", async () => {
    const facts = told.eventfulRun("run_a", "e1");
    await applyFacts(db, "run_a", "e1", facts);
    const events = await eventTypes("run_a");

    expect(await correctRun(db, "run_a", [{ execution: "e1", facts }])).toEqual([]);
    expect(await eventTypes("run_a")).toEqual(events);
  });

  test("loses what never became true, by one event that says so", async () => {
    const start = [
      told.created("run_b"),
      told.status("running"),
      told.stepStarted("run_b", 1, "lint"),
      told.stepFinished("run_b", 1),
    ];
    const untrue = [
      told.stepStarted("run_b", 2, "types"),
      told.comment("run_b", "run_b-c1", "never said"),
      told.finished("completed"),
    ];
    const truth = [told.comment("run_b", "run_b-c1", "said"), told.stepStarted("run_b", 2, "deploy"), told.finished("failed")];
    await applyFacts(
      db,
      "run_b",
      "e1",
      told.narration("run_b", "e1", [...start, ...untrue, told.stepStarted("run_b", 3, "more")]),
    );
    await applyAccepted(db, told.accepted("run_b", told.comment("run_b", "cmt_1", "from a person")));
    const before = await eventTypes("run_b");

    const facts = told.narration("run_b", "e1", [...start, ...truth]);
    expect(await correctRun(db, "run_b", [{ execution: "e1", facts }])).toEqual([5, 6, 7, 8]);

    const [run] = await db.orm.select().from(table.runs).where(eq(table.runs.id, "run_b"));
    const steps = await db.orm
      .select()
      .from(table.steps)
      .where(eq(table.steps.runId, "run_b"))
      .orderBy(asc(table.steps.stepNumber));
    const comments = await db.orm
      .select()
      .from(table.comments)
      .where(eq(table.comments.runId, "run_b"))
      .orderBy(asc(table.comments.id));
    expect(run).toMatchObject({ status: "failed", currentStepIndex: 2 });
    expect(steps.map(({ stepKey, status }) => [stepKey, status])).toEqual([
      ["lint", "completed"],
      ["deploy", "cancelled"],
    ]);
    expect(comments.map(({ text }) => text)).toEqual(["from a person", "said"]);
    const after = await eventTypes("run_b");
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.filter((type) => type === "workflow.execution.corrected")).toHaveLength(1);

    expect(await correctRun(db, "run_b", [{ execution: "e1", facts }])).toEqual([]);
    expect(await eventTypes("run_b")).toEqual(after);
  });

  test("is completed with what had not been told", async () => {
    const facts = told.eventfulRun("run_c", "e1");
    await applyFacts(db, "run_c", "e1", facts.slice(0, 12));

    expect(await correctRun(db, "run_c", [{ execution: "e1", facts }])).toEqual([]);
    const [run] = await db.orm.select().from(table.runs).where(eq(table.runs.id, "run_c"));
    expect(run).toMatchObject({ status: "completed", currentStepIndex: 4 });
  });
});

describe("a run whose final fact never came", () => {
  test("is settled once, with what was open cancelled", async () => {
    const facts = told.narration("run_s", "e1", [
      told.created("run_s"),
      told.status("running"),
      told.stepStarted("run_s", 1, "lint"),
    ]);
    await applyFacts(db, "run_s", "e1", facts);
    const end = {
      status: "failed" as const,
      error: { type: "Terminated", message: "Terminated in Temporal." },
      at: told.second(30),
    };

    expect(await settleRun(db, "run_s", "e1", end)).toBe(true);
    expect(await settleRun(db, "run_s", "e1", end)).toBe(false);
    const late = told.narration("run_s", "e1", [told.stepFinished("run_s", 1), told.status("running")], { from: 4 });
    await applyFacts(db, "run_s", "e1", late);
    await correctRun(db, "run_s", [{ execution: "e1", facts: [...facts, ...late] }]);

    const [run] = await db.orm.select().from(table.runs).where(eq(table.runs.id, "run_s"));
    const [step] = await db.orm.select().from(table.steps).where(eq(table.steps.runId, "run_s"));
    expect(run).toMatchObject({
      status: "failed",
      error: { type: "Terminated" },
      completedAt: new Date(told.second(30)),
      currentStepIndex: 1,
    });
    expect(step).toMatchObject({ status: "completed" });
    expect((await eventTypes("run_s")).filter((type) => type === "workflow.step.completed")).toHaveLength(1);
  });

  test("has its final fact when that is told after all", async () => {
    await applyFacts(db, "run_f", "e1", told.narration("run_f", "e1", [told.created("run_f"), told.status("running")]));
    await settleRun(db, "run_f", "e1", { status: "failed", error: null, at: told.second(30) });
    await applyFacts(db, "run_f", "e1", told.narration("run_f", "e1", [told.finished("completed", "all well")], { from: 3 }));

    const [run] = await db.orm.select().from(table.runs).where(eq(table.runs.id, "run_f"));
    expect(run).toMatchObject({ status: "completed", output: "all well" });
  });

  test("of another execution is left alone", async () => {
    await applyFacts(db, "run_x", "e2", told.narration("run_x", "e2", [told.created("run_x"), told.status("running")]));

    expect(await settleRun(db, "run_x", "e1", { status: "failed", error: null, at: told.second(30) })).toBe(false);
  });
});

async function eventTypes(runId: string) {
  const rows = await db.orm.select().from(table.events).where(eq(table.events.runId, runId)).orderBy(asc(table.events.seq));
  return rows.map(({ type }) => type);
}
