import { afterAll, beforeAll, expect, test } from "vitest";
import type { FactBody } from "../contract/fact.js";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { applyFacts } from "./projection.js";
import { workflows } from "./schema.js";
import { getWorkflowStats } from "./workflow-stats.js";
import { getWorkflow } from "./workflows.js";

let db: Database;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ db, close } = await told.preparedDatabase());
  const other = { id: "wfl_2", name: "other", slug: "other", type: "yaml" as const, dialect: "dag", source: "api" as const };
  await db.orm.insert(workflows).values(other);
  // Made a second apart, each told anew from second 1 on: a fact's second is its place in the list.
  await tell("run_1", 0, [
    told.status("running"), // at 2
    told.stepStarted("run_1", 1, "build"),
    told.stepFinished("run_1", 1, "completed", { from: 3, to: 4 }),
    told.status("paused"), // at 5
    told.stepStarted("run_1", 2, "test"),
    told.status("running"), // at 7
    told.stepFinished("run_1", 2, "completed", { attempt: 3, from: 6, to: 9 }),
    told.stepStarted("run_1", 3, "publish"),
    told.stepFinished("run_1", 3, "skipped", { from: 9, to: 9 }),
    told.finished("completed"), // at 11: 9 s in all, 7 s running
  ]);
  await tell("run_2", 1, [
    told.status("running"), // at 2
    told.stepStarted("run_2", 1, "build"),
    told.stepFinished("run_2", 1, "completed", { from: 3, to: 6 }),
    told.status("waiting"), // at 5
    told.status("running"), // at 6
    told.finished("completed"), // at 7: 5 s in all, 4 s running
  ]);
  await tell("run_3", 2, [
    told.status("running"),
    told.stepStarted("run_3", 1, "build", { name: "Build it", kind: "agent" }),
    told.stepFinished("run_3", 1, "failed", { attempt: 2, from: 3, to: 30 }),
    told.finished("failed"),
  ]);
  await tell("run_4", 3, [told.status("running"), told.finished("cancelled")]);
  await tell("run_5", 4, [told.status("running"), told.finished("timed_out")]);
  await tell("run_6", 5, [told.status("running"), told.stepStarted("run_6", 1, "build", { name: "Build", phase: "make" })]);
  await tell("run_7", 6, [told.status("running"), told.finished("completed")], "wfl_2");
});

afterAll(() => close());

test("counts a workflow's runs by how they ended, with the times of the completed ones", async () => {
  const { steps: _, ...stats } = await getWorkflowStats(db, "wfl_1", null);

  expect(stats).toEqual({
    workflow_id: "wfl_1",
    since: null,
    executions: 6,
    successful: 2,
    failed: 1,
    timed_out: 1,
    cancelled: 1,
    open: 1,
    success_rate: 2 / 5,
    average_duration_ms: 7_000,
    p50_duration_ms: 7_000,
    p95_duration_ms: 8_800,
    average_running_ms: 5_500,
    p50_running_ms: 5_500,
    p95_running_ms: 6_850,
    last_run: {
      id: "run_6",
      name: "Deliver",
      status: "running",
      created_at: told.second(5),
      started_at: told.second(2),
      completed_at: null,
    },
  });
});

test("agrees with what a workflow says of itself", async () => {
  const { stats } = await getWorkflow(db, "wfl_1");
  const { executions, successful, success_rate, average_duration_ms } = await getWorkflowStats(db, "wfl_1", null);

  expect({ executions, successful, success_rate, average_duration_ms }).toEqual(stats);
});

test("counts the doings of each step, in the order of the steps", async () => {
  const { steps } = await getWorkflowStats(db, "wfl_1", null);

  expect(steps).toEqual([
    {
      key: "build",
      name: "Build",
      kind: "shell",
      phase: "make",
      executions: 4,
      successful: 2,
      failed: 1,
      skipped: 0,
      failure_rate: 1 / 3,
      retries: 1,
      average_duration_ms: 2_000,
      p95_duration_ms: 2_900,
    },
    expect.objectContaining({
      key: "test",
      executions: 1,
      successful: 1,
      retries: 2,
      failure_rate: 0,
      average_duration_ms: 3_000,
    }),
    expect.objectContaining({ key: "publish", executions: 0, skipped: 1, failure_rate: null, average_duration_ms: null }),
  ]);
});

test("leaves out the runs made before a moment", async () => {
  const late = await getWorkflowStats(db, "wfl_1", new Date(told.second(2)));

  expect(late).toMatchObject({ since: told.second(2), executions: 4, successful: 0, success_rate: 0, p95_duration_ms: null });
  expect(late.steps).toMatchObject([{ key: "build", executions: 2, failed: 1, failure_rate: 1, average_duration_ms: null }]);
});

test("of a workflow without runs are zeros and nulls", async () => {
  expect(await getWorkflowStats(db, "wfl_1", new Date(told.second(50)))).toMatchObject({
    executions: 0,
    success_rate: null,
    average_duration_ms: null,
    p50_running_ms: null,
    last_run: null,
    steps: [],
  });
});

test("are of this workflow alone, and run time is told by an index", async () => {
  expect(await getWorkflowStats(db, "wfl_2", null)).toMatchObject({ executions: 1, successful: 1, last_run: { id: "run_7" } });

  const client = await db.pool.connect();
  try {
    await client.query("set enable_seqscan = off");
    const { rows } = await client.query<{ "QUERY PLAN": string }>(
      "explain select at from mirror.events where type = 'workflow.execution.status_changed' and run_id = 'run_1' order by seq",
    );
    expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("events_status");
  } finally {
    client.release(true);
  }
});

async function tell(id: string, made: number, bodies: FactBody[], workflow_id = "wfl_1"): Promise<void> {
  const created = told.created(id, { workflow_id, created_at: told.second(made) });
  await applyFacts(db, id, "e1", told.narration(id, "e1", [created, ...bodies]));
}
