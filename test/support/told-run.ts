import type { AgentSessionRow, ToolCallRow } from "../../contract/agent-session.js";
import type { ArtifactRow } from "../../contract/artifact.js";
import type { AcceptedFact, CommentRow, Fact, FactBody, RunHeader, StepRef } from "../../contract/fact.js";

import { type Database, openDatabase } from "../../db/database.js";
import { projects, workflows } from "../../db/schema.js";
import { testDatabase } from "./stack.js";

/** A moment of the story that tests tell: so many seconds after it began. */
export function second(n: number): string {
  return new Date(Date.UTC(2025, 0, 25, 10, 0, n)).toISOString();
}

/** What Temporal's narration of a run would say, numbered and dated one second apart. */
export function narration(runId: string, execution: string, bodies: readonly FactBody[], { from = 1 } = {}): Fact[] {
  return bodies.map((body, i) => ({ ...body, run_id: runId, execution, seq: from + i, at: second(from + i) }));
}

export function accepted(runId: string, body: FactBody, at = second(0)): AcceptedFact {
  return { ...body, run_id: runId, at };
}

export function header(runId: string, changes: Partial<RunHeader> = {}): RunHeader {
  return {
    run_id: runId,
    name: "Deliver",
    project_id: "prj_1",
    project_path: "/project",
    user_id: "local",
    workflow_id: "wfl_1",
    workflow_name: "deliver",
    workflow_revision: 1,
    phases: ["plan", "build"],
    program: { kind: "code", file: "deliver.ts" },
    input: { issue: 7 },
    context: {},
    workspace: { mode: "worktree", path: "/trees/1", base_branch: null },
    timeout_ms: 3_600_000,
    triggered_by: null,
    priority: null,
    parent_run_id: null,
    created_at: second(0),
    ...changes,
  };
}

export function created(runId: string, changes: Partial<RunHeader> = {}): FactBody {
  return { type: "run.created", run: header(runId, changes) };
}

export function status(name: Extract<FactBody, { type: "run.status" }>["status"], request?: string): FactBody {
  return { type: "run.status", status: name, waiting_for: null, ...(request === undefined ? {} : { request }) };
}

export function finished(name: "completed" | "failed" | "cancelled" | "timed_out", output: unknown = null): FactBody {
  const error = name === "failed" ? { type: "StepFailed", message: "It broke." } : null;
  return { type: "run.finished", status: name, output: JSON.parse(JSON.stringify(output)), error };
}

export function stepRef(runId: string, number: number, key: string, changes: Partial<StepRef> = {}): StepRef {
  return { id: `${runId}-${number}`, number, key, name: key, phase: "build", kind: "shell", iteration: 1, ...changes };
}

export function stepStarted(runId: string, number: number, key: string, changes: Partial<StepRef> = {}): FactBody {
  return {
    type: "step.started",
    step: stepRef(runId, number, key, changes),
    max_attempts: 3,
    input: { command: `npm run ${key}` },
  };
}

export function stepFinished(
  runId: string,
  number: number,
  name: "completed" | "failed" | "skipped" | "cancelled" = "completed",
  changes: { attempt?: number; output?: string; from?: number; to?: number } = {},
): FactBody {
  const { attempt = 1, output = "done", from = 20, to = 25 } = changes;
  const error = name === "failed" ? { type: "ShellFailed", message: "Exit code 1" } : null;
  const times = { started_at: second(from), completed_at: second(to) };
  return {
    type: "step.finished",
    step_id: `${runId}-${number}`,
    status: name,
    attempt,
    output: { text: output },
    error,
    ...times,
  };
}

export function attemptFailed(runId: string, number: number, attempt: number, retryAt: string | null = second(40)): FactBody {
  return {
    type: "step.attempt",
    step_id: `${runId}-${number}`,
    attempt,
    status: "failed",
    error: { type: "ShellFailed", message: `Attempt ${attempt} exited with code 1` },
    started_at: second(30 + attempt),
    completed_at: second(31 + attempt),
    retry_at: retryAt,
  };
}

export function checkpoint(runId: string, number: number, key: string): FactBody {
  return {
    type: "checkpoint.created",
    id: `${runId}-k${number}`,
    step: stepRef(runId, number, key),
    label: null,
    created_by: "automatic",
    tree: { commit: "c".repeat(40), tree: "t".repeat(40), shared: false },
  };
}

export function comment(runId: string, id: string, text: string, changes: Partial<CommentRow> = {}): FactBody {
  const row: CommentRow = { id, run_id: runId, step_id: null, text, comment_type: "user", metadata: {}, created_by: null };
  return { type: "comment.created", comment: { ...row, ...changes } };
}

export function artifact(runId: string, id: string, changes: Partial<ArtifactRow> = {}): FactBody {
  return {
    type: "artifact.created",
    artifact: {
      id,
      run_id: runId,
      step_id: null,
      agent_session_id: null,
      name: "report.txt",
      file_path: `.agent/workflows/executions/${runId}/artifacts/execution/report.txt`,
      type: "test_report",
      file_type: "document",
      mime_type: "text/plain",
      size_bytes: 12,
      sha256: "0".repeat(64),
      version: 1,
      metadata: {},
      ...changes,
    },
  };
}

export function session(runId: string, number: number, name: AgentSessionRow["status"]): FactBody {
  return {
    type: "session.updated",
    session: {
      id: `${runId}-${number}-s1`,
      run_id: runId,
      step_id: `${runId}-${number}`,
      name: "implement",
      agent: "claude",
      model: "large",
      provider_session_id: "7c1f",
      status: name,
      session_file_path: `.agent/workflows/executions/${runId}/logs/session.jsonl`,
      usage: { input_tokens: 10 },
    },
  };
}

export function toolCall(runId: string, number: number): FactBody {
  const call: ToolCallRow = {
    id: `${runId}-${number}-t1`,
    run_id: runId,
    step_id: `${runId}-${number}`,
    agent_session_id: `${runId}-${number}-s1`,
    tool: "Edit",
    input: { file: "a.ts" },
    output: "ok",
    is_error: false,
    at: second(33),
  };
  return { type: "tool_call.recorded", call };
}

/** One run in which a bit of everything happens. Its second step fails once and is tried again. */
export function eventfulRun(runId: string, execution: string): Fact[] {
  return narration(runId, execution, [
    created(runId),
    status("running"),
    { type: "run.phase", phase: "plan" },
    stepStarted(runId, 1, "test", { phase: "plan" }),
    { type: "log", level: "info", text: "looking around", step_id: `${runId}-1`, attempt: 1 },
    stepFinished(runId, 1),
    checkpoint(runId, 1, "test"),
    { type: "run.state", state: { seen: true } },
    { type: "run.git", branch_name: "feature/7" },
    stepStarted(runId, 2, "implement", { kind: "agent" }),
    attemptFailed(runId, 2, 1),
    session(runId, 2, "running"),
    toolCall(runId, 2),
    session(runId, 2, "completed"),
    artifact(runId, `${runId}-2-a1`, { step_id: `${runId}-2`, agent_session_id: `${runId}-2-s1` }),
    stepFinished(runId, 2, "completed", { attempt: 2, from: 34, to: 39 }),
    { type: "log", level: "warn", text: "two tests were skipped", step_id: null, attempt: 1 },
    comment(runId, `${runId}-c1`, "Please look at a.ts", { comment_type: "agent", step_id: `${runId}-2` }),
    stepStarted(runId, 3, "review", { kind: "approval" }),
    { type: "step.waiting", step_id: `${runId}-3`, waiting_for: { kind: "approval", message: "Ship it?" } },
    { type: "run.status", status: "waiting", waiting_for: { kind: "approval", message: "Ship it?", step_id: `${runId}-3` } },
    stepFinished(runId, 3, "completed", { from: 41, to: 49 }),
    status("running"),
    stepStarted(runId, 4, "publish"),
    stepFinished(runId, 4, "skipped", { from: 51, to: 51 }),
    { type: "run.git", commit_sha: "a".repeat(40), pr_url: "https://github.com/acme/shop/pull/12" },
    finished("completed", { pr: 12 }),
  ]);
}

/** The project and the workflow that the runs told here are of. */
export async function prepare(db: Database): Promise<void> {
  await db.orm.insert(projects).values({ id: "prj_1", name: "shop", path: "/project" });
  const workflow = { id: "wfl_1", projectId: "prj_1", name: "deliver", slug: "deliver" };
  await db.orm.insert(workflows).values({ ...workflow, type: "code", dialect: "typescript", source: "file" });
}

/** A database of the test's own, prepared; `close` drops it. */
export async function preparedDatabase(): Promise<{ db: Database; url: string; close(): Promise<void> }> {
  const { url, drop } = await testDatabase();
  const db = openDatabase(url);
  await prepare(db);
  const close = async () => {
    await db.close();
    await drop();
  };
  return { db, url, close };
}

/** All rows of a run, without the numbers that count rows of all runs. */
export async function mirrorOf(db: Database, runId: string): Promise<Record<string, unknown[]>> {
  const tables: Record<string, unknown[]> = {};
  for (const name of ["runs", "step_attempts", ...OF_A_RUN]) {
    const mine = { runs: "id = $1", step_attempts: "step_id like $1 || '-%'" }[name] ?? "run_id = $1";
    const without = { events: "{id,xid}", log_chunks: "{id}" }[name] ?? "{}";
    const query = `select to_jsonb(t) - '${without}'::text[] as row from mirror.${name} t where ${mine} order by 1`;
    const { rows } = await db.pool.query<{ row: unknown }>(query, [runId]);
    tables[name] = rows.map(({ row }) => row);
  }
  return tables;
}

const OF_A_RUN = [
  "executions",
  "facts",
  "steps",
  "agent_sessions",
  "tool_calls",
  "approval_answers",
  "comments",
  "artifacts",
  "checkpoints",
  "log_chunks",
  "events",
];
