import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Journal } from "../activities/journal.js";
import type { Fact } from "../contract/fact.js";
import { newId } from "../contract/id.js";
import { openDatabase } from "../db/database.js";
import { appendLogChunks } from "../db/log-chunks.js";
import { applyFacts } from "../db/projection.js";
import { projects, workflows } from "../db/schema.js";

const STEPS = 200;

/** What each part of a step's bookkeeping costs by itself, in milliseconds a step. */
export async function machinery(folder: string, databaseUrl: string): Promise<void> {
  console.log(`journal, open and close: ${(await journal(folder)).toFixed(2)} ms a step`);
  const db = openDatabase(databaseUrl);
  try {
    console.log(`narration, 4 facts in batches of 5 steps: ${(await narration(db)).toFixed(2)} ms a step`);
    console.log(`log streaming, one chunk of 200 characters: ${(await logs(db)).toFixed(2)} ms a step`);
  } finally {
    await db.close();
  }
}

async function journal(folder: string): Promise<number> {
  const records = new Journal(join(folder, "bench-journal"));
  const began = performance.now();
  for (let i = 0; i < STEPS; i++) {
    const key = { workflow_id: "run_bench", execution: "x", activity_id: String(i) };
    const { record } = await records.open("run_bench", `run_bench-${i}`, key, 1, randomBytes(60).toString("base64"));
    const now = new Date().toISOString();
    await records.close(record, { outcome: { value: i, started_at: now, completed_at: now, lost: [] } });
  }
  const cost = (performance.now() - began) / STEPS;
  await records.stop();
  return cost;
}

type Database = ReturnType<typeof openDatabase>;

async function narration(db: Database): Promise<number> {
  const run = await beginRun(db);
  const began = performance.now();
  let seq = 1;
  for (let step = 1; step <= STEPS; step += 5) {
    const batch = [0, 1, 2, 3, 4].flatMap((i) => stepFacts(run, step + i, () => ++seq));
    await applyFacts(db, run, "x", batch);
  }
  return (performance.now() - began) / STEPS;
}

async function logs(db: Database): Promise<number> {
  const run = await beginRun(db);
  const began = performance.now();
  for (let i = 0; i < STEPS; i++) {
    const at = new Date().toISOString();
    await appendLogChunks(db, [
      { run_id: run, step_id: null, attempt: 1, stream: "stdout", level: "info", offset: i * 200, text: "x".repeat(200), at },
    ]);
  }
  return (performance.now() - began) / STEPS;
}

async function beginRun(db: Database): Promise<string> {
  const [project] = await db.orm.select().from(projects).limit(1);
  const [workflow] = await db.orm.select().from(workflows).limit(1);
  if (!project || !workflow) throw new Error("The benchmark's project is not there.");
  const run = newId("run");
  const at = new Date().toISOString();
  const created: Fact = {
    type: "run.created",
    run_id: run,
    execution: "x",
    seq: 1,
    at,
    run: {
      run_id: run,
      name: "bench",
      project_id: project.id,
      project_path: project.path,
      user_id: "local",
      workflow_id: workflow.id,
      workflow_name: workflow.name,
      workflow_revision: 1,
      phases: [],
      program: { kind: "code", file: "ticks.ts" },
      input: {},
      context: {},
      workspace: { mode: "in_place", path: project.path, base_branch: null },
      timeout_ms: 0,
      triggered_by: null,
      priority: null,
      parent_run_id: null,
      created_at: at,
    },
  };
  await applyFacts(db, run, "x", [created]);
  return run;
}

function stepFacts(run: string, number: number, next: () => number): Fact[] {
  const at = new Date().toISOString();
  const told = () => ({ run_id: run, execution: "x", seq: next(), at });
  const step = {
    id: `${run}-${number}`,
    number,
    key: "tick",
    name: "tick",
    phase: null,
    kind: "activity" as const,
    iteration: number,
  };
  return [
    { ...told(), type: "step.started", step, max_attempts: 1, input: [number] },
    {
      ...told(),
      type: "step.finished",
      step_id: step.id,
      status: "completed",
      attempt: 1,
      output: number,
      error: null,
      started_at: at,
      completed_at: at,
    },
    {
      ...told(),
      type: "checkpoint.created",
      id: `${run}-k${number}`,
      step,
      label: null,
      created_by: "automatic",
      tree: null,
    },
    { ...told(), type: "log", level: "info", text: "ticked", step_id: step.id, attempt: 1 },
  ];
}
