import { asc, eq } from "drizzle-orm";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Fact } from "../contract/fact.js";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { applyAccepted, applyFacts, deleteRun } from "./projection.js";
import { lockRuns } from "./projection-load.js";
import * as table from "./schema.js";

let db: Database;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ db, close } = await told.preparedDatabase());
});

afterAll(() => close());

describe("facts in order", () => {
  test("become a run, its steps and all else they tell of", async () => {
    const { told: last, gap } = await applyFacts(db, "run_a", "e1", told.eventfulRun("run_a", "e1"));

    expect({ last, gap }).toEqual({ last: 27, gap: false });
    expect(await runRow("run_a")).toMatchObject({
      status: "completed",
      output: { pr: 12 },
      state: { seen: true },
      currentPhase: "build",
      currentStepIndex: 4,
      currentWorkflowStepId: null,
      branchName: "feature/7",
      prNumber: 12,
      repoOwner: "acme",
      logFilePath: ".agent/workflows/executions/run_a/logs/execution.log",
      temporalRunId: "e1",
      startedAt: new Date(told.second(2)),
      completedAt: new Date(told.second(27)),
      createdAt: new Date(told.second(0)),
      updatedAt: new Date(told.second(27)),
    });
    expect((await stepRows("run_a")).map(({ stepKey, status, attemptNumber }) => [stepKey, status, attemptNumber])).toEqual([
      ["test", "completed", 1],
      ["implement", "completed", 2],
      ["review", "completed", 1],
      ["publish", "skipped", 1],
    ]);
    const attempts = await db.orm
      .select()
      .from(table.stepAttempts)
      .where(eq(table.stepAttempts.stepId, "run_a-2"))
      .orderBy(asc(table.stepAttempts.number));
    expect(attempts.map(({ number, status }) => [number, status])).toEqual([
      [1, "failed"],
      [2, "completed"],
    ]);
  });

  test("are numbered events without a gap, each with its run and project", async () => {
    const events = await eventRows("run_a");

    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(events.map(({ type }) => type)).toEqual([
      "workflow.execution.status_changed",
      "workflow.execution.status_changed",
      "workflow.execution.phase_changed",
      "workflow.step.started",
      "workflow.step.completed",
      "workflow.checkpoint.created",
      "workflow.step.started",
      "workflow.step.retrying",
      "workflow.agent.updated",
      "workflow.agent.updated",
      "workflow.artifact.created",
      "workflow.step.completed",
      "workflow.comment.created",
      "workflow.comment.created",
      "workflow.step.started",
      "workflow.approval.requested",
      "workflow.execution.status_changed",
      "workflow.step.completed",
      "workflow.execution.status_changed",
      "workflow.step.started",
      "workflow.step.completed",
      "workflow.execution.status_changed",
    ]);
    for (const { data } of events) expect(data).toMatchObject({ execution_id: "run_a", project_id: "prj_1" });
    expect(events[3]?.data).toEqual({
      execution_id: "run_a",
      project_id: "prj_1",
      step_id: "run_a-1",
      step_name: "test",
      phase: "plan",
    });
  });

  test("make a warning a comment of the system, and every line a chunk of the log", async () => {
    const comments = await db.orm
      .select()
      .from(table.comments)
      .where(eq(table.comments.runId, "run_a"))
      .orderBy(asc(table.comments.createdAt));
    const lines = await db.orm
      .select()
      .from(table.logChunks)
      .where(eq(table.logChunks.runId, "run_a"))
      .orderBy(asc(table.logChunks.id));

    expect(comments.map(({ commentType, text }) => [commentType, text])).toEqual([
      ["system", "two tests were skipped"],
      ["agent", "Please look at a.ts"],
    ]);
    expect(lines.map(({ level, text }) => [level, text])).toEqual([
      ["info", "looking around\n"],
      ["warn", "two tests were skipped\n"],
    ]);
  });

  test("point the run at its newest open step", async () => {
    const facts = told.narration("run_p", "e1", [
      told.created("run_p"),
      told.status("running"),
      told.stepStarted("run_p", 1, "lint"),
      told.stepStarted("run_p", 2, "types"),
      told.stepFinished("run_p", 2),
      told.stepFinished("run_p", 1),
    ]);
    const pointsAt = [];
    for (const fact of facts.slice(0)) {
      await applyFacts(db, "run_p", "e1", [fact]);
      pointsAt.push((await runRow("run_p"))?.currentWorkflowStepId);
    }

    expect(pointsAt).toEqual([null, null, "run_p-1", "run_p-2", "run_p-1", "run_p-1"]);
    expect(await runRow("run_p")).toMatchObject({ currentStepIndex: 2 });
  });

  test("cancel what is open when the run ends", async () => {
    await applyFacts(
      db,
      "run_o",
      "e1",
      told.narration("run_o", "e1", [
        told.created("run_o"),
        told.status("running"),
        told.stepStarted("run_o", 1, "lint"),
        told.finished("cancelled"),
      ]),
    );

    expect(await stepRows("run_o")).toMatchObject([{ status: "cancelled", completedAt: new Date(told.second(4)) }]);
    expect((await eventRows("run_o")).slice(-2).map(({ type }) => type)).toEqual([
      "workflow.step.completed",
      "workflow.execution.status_changed",
    ]);
  });
});

describe("facts told again", () => {
  test("change nothing in the same words", async () => {
    const before = await told.mirrorOf(db, "run_a");
    const { told: last, applied } = await applyFacts(db, "run_a", "e1", told.eventfulRun("run_a", "e1"));

    expect({ last, applied }).toEqual({ last: 27, applied: [] });
    expect(await told.mirrorOf(db, "run_a")).toEqual(before);
  });

  test("change the rows in other words, and no event", async () => {
    const facts = told.narration("run_t", "e1", [
      told.created("run_t"),
      told.status("running"),
      told.stepStarted("run_t", 1, "lint"),
    ]);
    await applyFacts(db, "run_t", "e1", facts);
    const before = await eventRows("run_t");
    await applyFacts(db, "run_t", "e1", told.narration("run_t", "e1", [told.stepStarted("run_t", 1, "types")], { from: 3 }));

    expect(await stepRows("run_t")).toMatchObject([{ stepKey: "types", status: "running" }]);
    expect(await eventRows("run_t")).toEqual(before);
  });

  test("do not move a newer row back", async () => {
    const facts = told.narration("run_b", "e1", [
      told.created("run_b"),
      told.status("running"),
      told.stepStarted("run_b", 1, "lint"),
      told.stepFinished("run_b", 1),
      told.finished("completed"),
    ]);
    await applyFacts(db, "run_b", "e1", facts);
    const [, running, started] = facts;
    if (!running || !started) throw new Error("told too little");
    await applyFacts(db, "run_b", "e1", [{ ...running, at: told.second(50) }]);
    await applyFacts(db, "run_b", "e1", [{ ...started, at: told.second(50) }]);

    expect(await runRow("run_b")).toMatchObject({ status: "completed", startedAt: new Date(told.second(2)) });
    expect(await stepRows("run_b")).toMatchObject([{ status: "completed" }]);
  });
});

test("however facts are batched and repeated, the same is in the tables", async () => {
  const facts = told.eventfulRun("run_z", "e1");
  const batch = fc
    .tuple(fc.nat(facts.length - 1), fc.integer({ min: 1, max: facts.length }))
    .map(([from, length]) => facts.slice(from, from + length));
  await applyFacts(db, "run_z", "e1", facts);
  const expected = await told.mirrorOf(db, "run_z");

  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 6 }), async (batches) => {
      await db.orm.delete(table.runs).where(eq(table.runs.id, "run_z"));
      for (const some of batches) await applyFacts(db, "run_z", "e1", some);
      await applyFacts(db, "run_z", "e1", facts);
      expect(await told.mirrorOf(db, "run_z")).toEqual(expected);
    }),
    { numRuns: 15 },
  );
});

describe("facts that are missing", () => {
  test("are a gap, and what follows them is not written", async () => {
    const facts = told.eventfulRun("run_g", "e1");
    const first = await applyFacts(db, "run_g", "e1", [...facts.slice(0, 4), ...facts.slice(6)]);
    const steps = await stepRows("run_g");
    const then = await applyFacts(db, "run_g", "e1", facts);

    expect(first).toMatchObject({ told: 4, gap: true });
    expect(steps).toHaveLength(1);
    expect(then).toMatchObject({ told: 27, gap: false });
    expect(await stepRows("run_g")).toHaveLength(4);
  });

  test("are a gap when the run itself is not there yet", async () => {
    const facts = told.eventfulRun("run_n", "e1");

    expect(await applyFacts(db, "run_n", "e1", facts.slice(1))).toMatchObject({ told: 0, gap: true });
    expect(await runRow("run_n")).toBeUndefined();
  });
});

describe("two writers at once", () => {
  test("tell a run once", async () => {
    const facts = told.eventfulRun("run_2", "e1");
    const pieces = (size: number) =>
      Array.from({ length: Math.ceil(facts.length / size) }, (_, i) => facts.slice(0, (i + 1) * size));
    const tell = async (size: number) => {
      for (const piece of pieces(size)) await applyFacts(db, "run_2", "e1", piece);
    };
    await Promise.all([tell(1), tell(2), tell(5)]);

    const events = await eventRows("run_2");
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
    expect(await runRow("run_2")).toMatchObject({ status: "completed", currentStepIndex: 4, eventSeq: 22 });
  });

  test("begin a run once", async () => {
    const start = told.accepted("run_1", told.created("run_1"));
    const narration = told.narration("run_1", "e1", [told.created("run_1"), told.status("running")]);
    await Promise.all([
      ...Array.from({ length: 4 }, () => applyAccepted(db, start)),
      applyFacts(db, "run_1", "e1", narration),
      ...Array.from({ length: 4 }, () => applyAccepted(db, start)),
    ]);

    expect((await eventRows("run_1")).map(({ seq, data }) => [seq, data.status])).toEqual([
      [1, "pending"],
      [2, "running"],
    ]);
  });

  test("number narration and what the API tells without a gap", async () => {
    await applyAccepted(db, told.accepted("run_3", told.created("run_3")));
    await Promise.all([
      applyFacts(db, "run_3", "e1", told.eventfulRun("run_3", "e1")),
      ...Array.from({ length: 8 }, (_, i) =>
        applyAccepted(db, told.accepted("run_3", told.comment("run_3", `cmt_3${i}`, `no. ${i}`))),
      ),
    ]);

    const events = await eventRows("run_3");
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  });
});

describe("what the API tells of itself", () => {
  test("is seen at once, and confirmed by narration without a second event", async () => {
    await applyAccepted(db, told.accepted("run_c", told.created("run_c")));
    expect(await runRow("run_c")).toMatchObject({
      status: "pending",
      currentPhase: "plan",
      currentStepIndex: 0,
      temporalRunId: null,
    });

    await applyFacts(db, "run_c", "e1", told.narration("run_c", "e1", [told.created("run_c"), told.status("running")]));

    expect((await eventRows("run_c")).map(({ data }) => data.status)).toEqual(["pending", "running"]);
    expect(await runRow("run_c")).toMatchObject({ status: "running", temporalRunId: "e1" });
  });

  test("is a run of the local user and an archived workflow when its own are gone", async () => {
    await applyAccepted(db, told.accepted("run_gu", told.created("run_gu", { user_id: "usr_gone" })));
    await applyAccepted(db, told.accepted("run_gw", told.created("run_gw", { workflow_id: "wfl_gone" })));
    const [workflow] = await db.orm.select().from(table.workflows).where(eq(table.workflows.id, "wfl_gone"));

    expect(await runRow("run_gu")).toMatchObject({ userId: "local", eventSeq: 1 });
    expect(await runRow("run_gw")).toMatchObject({ workflowId: "wfl_gone", eventSeq: 1 });
    expect(workflow).toMatchObject({ isActive: false, archivedAt: new Date(told.second(0)) });
  });

  test("is no run in a project that is gone", async () => {
    await applyAccepted(db, told.accepted("run_gp", told.created("run_gp", { project_id: "prj_gone" })));

    expect(await runRow("run_gp")).toBeUndefined();
  });

  test("is not undone by what was told before the run heard of it", async () => {
    await applyFacts(db, "run_r", "e1", told.narration("run_r", "e1", [told.created("run_r"), told.status("running")]));
    await applyAccepted(db, told.accepted("run_r", told.status("paused", "req_1"), told.second(3)));
    await applyFacts(db, "run_r", "e1", told.narration("run_r", "e1", [told.status("waiting")], { from: 3 }));
    const before = await runRow("run_r");
    await applyFacts(
      db,
      "run_r",
      "e1",
      told.narration("run_r", "e1", [told.status("paused", "req_1"), told.status("running", "req_2")], { from: 4 }),
    );

    expect(before).toMatchObject({ status: "paused", pausedAt: new Date(told.second(3)) });
    expect(await runRow("run_r")).toMatchObject({ status: "running", pausedAt: null, pendingRequest: null });
    expect((await eventRows("run_r")).map(({ data }) => data.status)).toEqual([
      "pending",
      "running",
      "paused",
      "waiting",
      "running",
    ]);
  });

  test("holds from before the run's first word", async () => {
    await applyAccepted(db, told.accepted("run_h", told.created("run_h")));
    await applyAccepted(db, told.accepted("run_h", told.status("paused", "req_1"), told.second(3)));
    await applyFacts(db, "run_h", "e1", told.narration("run_h", "e1", [told.created("run_h"), told.status("running")]));

    expect(await runRow("run_h")).toMatchObject({ status: "paused", temporalRunId: "e1" });
  });

  test("changes nothing when narration was faster", async () => {
    await applyAccepted(db, told.accepted("run_r", told.status("running", "req_2")));
    await applyAccepted(db, told.accepted("run_r", told.status("paused", "req_1")));

    expect(await runRow("run_r")).toMatchObject({ status: "running" });
  });

  test("attaches an artifact to a comment, and detaches it", async () => {
    const attached = (comment_id: string | null, request: string) =>
      told.accepted("run_a", { type: "artifact.attached", artifact_id: "run_a-2-a1", comment_id, request });
    await applyAccepted(db, attached("run_a-c1", "att_1"));
    const [then] = await db.orm.select().from(table.artifacts).where(eq(table.artifacts.id, "run_a-2-a1"));
    await applyAccepted(db, attached(null, "att_2"));
    const [now] = await db.orm.select().from(table.artifacts).where(eq(table.artifacts.id, "run_a-2-a1"));

    expect([then?.workflowCommentId, now?.workflowCommentId]).toEqual(["run_a-c1", null]);
  });

  test("must be about a run that is there", async () => {
    await expect(applyAccepted(db, told.accepted("run_none", told.comment("run_none", "cmt_x", "hello")))).rejects.toThrow(
      "There is no run run_none.",
    );
  });
});

describe("a run goes on in another execution", () => {
  test("that a restore has made or that continues the last, and in no other: what Temporal's reset makes is not written", async () => {
    const started = [told.created("run_x"), told.status("running"), told.stepStarted("run_x", 1, "lint")];
    await applyFacts(db, "run_x", "x1", told.narration("run_x", "x1", started));
    const before = await runRow("run_x");

    const { told: taken, applied } = await applyFacts(db, "run_x", "x2", told.narration("run_x", "x2", started));

    expect([taken, applied]).toEqual([3, []]);
    expect(await runRow("run_x")).toEqual(before);
  });

  test("and from then on only that one speaks for it", async () => {
    const facts = told.narration("run_e", "e1", [
      told.created("run_e"),
      told.status("running"),
      told.stepStarted("run_e", 1, "lint"),
      told.finished("failed"),
    ]);
    await applyFacts(db, "run_e", "e1", facts);
    await applyFacts(
      db,
      "run_e",
      "e2",
      told.narration("run_e", "e2", [
        Object.assign(told.created("run_e"), { continues: "e1" }),
        told.status("running"),
        told.stepStarted("run_e", 1, "lint"),
      ]),
    );
    const [, running] = facts;
    if (!running) throw new Error("told too little");
    await applyFacts(db, "run_e", "e1", [
      { ...(told.narration("run_e", "e1", [told.finished("failed")], { from: 5 })[0] as Fact) },
    ]);

    expect(await runRow("run_e")).toMatchObject({
      status: "running",
      error: null,
      completedAt: null,
      temporalRunId: "e2",
      currentStepIndex: 0,
    });
    expect(await stepRows("run_e")).toMatchObject([{ status: "running" }]);
  });
});

describe("odd content", () => {
  test("of text that Postgres refuses is kept with a sign in its place", async () => {
    await applyFacts(
      db,
      "run_u",
      "e1",
      told.narration("run_u", "e1", [
        told.created("run_u", { input: { "a\u0000": "\ud800" } }),
        told.comment("run_u", "run_u-c1", "x\u0000y \udfff 😀"),
      ]),
    );
    const [comment] = await db.orm.select().from(table.comments).where(eq(table.comments.runId, "run_u"));

    expect((await runRow("run_u"))?.input).toEqual({ "a\uFFFD": "\uFFFD" });
    expect(comment?.text).toBe("x\uFFFDy \uFFFD 😀");
  });

  test("of names that are not there does not stop narration", async () => {
    const odd = told.narration(
      "run_u",
      "e1",
      [
        told.comment("run_u", "run_u-c2", "lost", { step_id: "run_u-99", created_by: "usr_gone" }),
        told.artifact("run_u", "run_u-1-a1", { file_path: "/etc/passwd", agent_session_id: "nobody", step_id: "run_u-99" }),
        {
          type: "tool_call.recorded",
          call: {
            id: "run_u-t",
            run_id: "run_u",
            step_id: "x",
            agent_session_id: "y",
            tool: "z",
            input: null,
            output: null,
            is_error: true,
            at: told.second(5),
          },
        },
        told.stepFinished("run_u", 99),
      ],
      { from: 3 },
    );

    expect(await applyFacts(db, "run_u", "e1", odd)).toMatchObject({ told: 6, gap: false });
    const [artifact] = await db.orm.select().from(table.artifacts).where(eq(table.artifacts.runId, "run_u"));
    expect(artifact).toMatchObject({ filePath: "etc/passwd", stepId: null });
  });
});

describe("deletion", () => {
  test("of a run is for good", async () => {
    const facts = told.eventfulRun("run_d", "e1");
    await applyFacts(db, "run_d", "e1", facts.slice(0, 10));
    await deleteRun(db, "run_d");

    expect(await applyFacts(db, "run_d", "e1", facts)).toMatchObject({ told: 27, gap: false, applied: [] });
    expect(await runRow("run_d")).toBeUndefined();
  });

  test("is for good for a start, too, that waited for it", async () => {
    const start = told.accepted("run_w", told.created("run_w"));
    await applyAccepted(db, start);
    const waiting = await db.orm.transaction(async (tx) => {
      await lockRuns(tx, ["run_w"]);
      const again = applyAccepted(db, start);
      await vi.waitFor(async () => expect(await waitingLocks()).toBe(1), 20_000);
      await tx.insert(table.tombstones).values({ runId: "run_w" });
      await tx.delete(table.runs).where(eq(table.runs.id, "run_w"));
      return { again };
    });
    await waiting.again;

    expect(await runRow("run_w")).toBeUndefined();
  });
});

test("a hundred facts are a matter of milliseconds", async () => {
  const steps = Array.from({ length: 33 }, (_, i) => [
    told.stepStarted("run_q", i + 1, "lint"),
    told.stepFinished("run_q", i + 1),
    told.checkpoint("run_q", i + 1, "lint"),
  ]);
  const facts = told.narration("run_q", "e1", [told.created("run_q"), ...steps.flat()]);
  await applyFacts(db, "run_q", "e1", facts.slice(0, 1));
  const before = performance.now();
  await applyFacts(db, "run_q", "e1", facts.slice(1));
  const took = performance.now() - before;

  expect(took).toBeLessThan(500);
});

async function waitingLocks() {
  const { rows } = await db.pool.query(`
    select count(*)::int as waiting from pg_locks
    where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`);
  return rows[0].waiting;
}

async function runRow(id: string) {
  const [row] = await db.orm.select().from(table.runs).where(eq(table.runs.id, id));
  return row;
}

async function stepRows(runId: string) {
  return db.orm.select().from(table.steps).where(eq(table.steps.runId, runId)).orderBy(asc(table.steps.stepNumber));
}

async function eventRows(runId: string) {
  return db.orm.select().from(table.events).where(eq(table.events.runId, runId)).orderBy(asc(table.events.seq));
}
