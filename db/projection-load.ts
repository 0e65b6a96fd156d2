import { and, eq, inArray, notInArray, or, sql } from "drizzle-orm";
import type { RunHeader } from "../contract/fact.js";
import type { Connection } from "./database.js";
import { logCommentId } from "./fact-log.js";
import { attemptKey, type RunRow, type RunRows, rowsOf, type Told } from "./fact-rows.js";
import { newRun } from "./fact-run.js";
import { LOCAL_USER } from "./migrate.js";
import {
  agentSessions,
  approvalAnswers,
  artifacts,
  checkpoints,
  comments,
  projects,
  runs,
  stepAttempts,
  steps,
  tombstones,
  toolCalls,
  users,
  workflows,
} from "./schema.js";

/** One writer of a run at a time, until the transaction ends. Several are taken in one order, so that no two wait for each other. */
export async function lockRuns(tx: Connection, runIds: readonly string[]): Promise<void> {
  const ids = sql.param(runIds.toSorted());
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(id, 0)) from unnest(${ids}::text[]) as id`);
}

/** The run's row; `deleted` when nothing may bring it back; null when it is not there yet. */
export async function findRun(tx: Connection, runId: string): Promise<RunRow | "deleted" | null> {
  return (await findRuns(tx, [{ runId, execution: "" }])).get(runId)?.run ?? null;
}

export interface FoundRun {
  run: RunRow | "deleted";
  /** Facts 1..told of the execution are written; null when it has told nothing. */
  told: number | null;
}

/** The runs' rows, by id, and how far these executions of them are written. */
export async function findRuns(
  tx: Connection,
  asked: readonly { runId: string; execution: string }[],
): Promise<Map<string, FoundRun>> {
  const ids = asked.map(({ runId }) => runId);
  const named = asked.map(({ execution }) => execution);
  const pairs = sql`select * from unnest(${sql.param(ids)}::text[], ${sql.param(named)}::text[])`;
  const told = sql<number | null>`(
    select e.told from mirror.executions as e where e.run_id = runs.id and (e.run_id, e.execution) in (${pairs})
  )`;
  const rows = await tx.select({ run: runs, told }).from(runs).where(inArray(runs.id, ids)).for("update");
  const found = new Map<string, FoundRun>(rows.map((row) => [row.run.id, row]));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0) {
    const gone = await tx.select().from(tombstones).where(inArray(tombstones.runId, missing));
    for (const { runId } of gone) found.set(runId, { run: "deleted", told: null });
  }
  return found;
}

/**
 * Insert the row of a run that begins. Its project must be there, else the run is `deleted` as well. A user
 * who is gone is replaced by the local one, a workflow that is gone by an archived row of the same id.
 */
export async function insertRun(tx: Connection, header: RunHeader): Promise<RunRow | "deleted"> {
  const run = newRun(header);
  const [project] = await tx.select({ id: projects.id }).from(projects).where(eq(projects.id, run.projectId)).for("key share");
  if (!project) return "deleted";

  const [user] = await tx.select({ id: users.id }).from(users).where(eq(users.id, run.userId));
  if (!user) run.userId = LOCAL_USER;
  await tx
    .insert(workflows)
    .values({
      id: header.workflow_id,
      projectId: header.project_id,
      name: header.workflow_name,
      slug: header.workflow_id,
      type: "code",
      dialect: "typescript",
      filePath: header.program.file,
      revision: header.workflow_revision,
      phases: header.phases,
      timeoutMs: header.timeout_ms,
      isActive: false,
      source: "file",
      archivedAt: run.createdAt,
      createdAt: run.createdAt,
      updatedAt: run.createdAt,
    })
    .onConflictDoNothing();
  await tx.insert(runs).values(run);
  return run;
}

/** All open steps of these runs, all steps of those that are restored, the open sessions of those that end, and whatever else the facts at hand speak of; in the order that was asked for. */
export async function loadRows(tx: Connection, asked: readonly { run: RunRow; facts: readonly Told[] }[]): Promise<RunRows[]> {
  const named = asked.map(({ facts }) => namedIn(facts));
  const all = (kind: keyof Named) => [...new Set(named.flatMap((names) => [...names[kind]]))];
  const loaded = asked.map(({ run }) => rowsOf(run));
  const byRun = new Map(loaded.map((rows) => [rows.run.id, rows]));
  /** Gives rows of other tables than `steps` to each run whose facts name them. */
  const give = <Row extends { id: string }>(
    kind: keyof Named,
    found: readonly Row[],
    mapOf: (rows: RunRows) => Map<string, Row>,
  ) => {
    for (const row of found) {
      for (const [i, rows] of loaded.entries()) if (named[i]?.[kind].has(row.id)) mapOf(rows).set(row.id, row);
    }
  };

  const open = notInArray(steps.status, ["completed", "failed", "skipped", "cancelled"]);
  const spoken = all("steps");
  const restored = asked.filter(({ facts }) => facts.some(({ type }) => type === "run.restored")).map(({ run }) => run.id);
  const which = or(
    open,
    ...(spoken.length > 0 ? [inArray(steps.id, spoken)] : []),
    ...(restored.length > 0 ? [inArray(steps.runId, restored)] : []),
  );
  const found = await tx
    .select()
    .from(steps)
    .where(and(inArray(steps.runId, [...byRun.keys()]), which));
  for (const row of found) byRun.get(row.runId)?.steps.set(row.id, row);

  const sessions = all("sessions");
  if (sessions.length > 0) {
    const rows = await tx.select().from(agentSessions).where(inArray(agentSessions.id, sessions));
    give("sessions", rows, ({ sessions }) => sessions);
  }
  const ends = ({ type }: Told) => type === "run.finished" || type === "run.restored";
  const ending = asked.filter(({ facts }) => facts.some(ends)).map(({ run }) => run.id);
  if (ending.length > 0) {
    const where = and(inArray(agentSessions.runId, ending), eq(agentSessions.status, "running"));
    for (const row of await tx.select().from(agentSessions).where(where)) {
      const { sessions } = byRun.get(row.runId) ?? {};
      if (!sessions?.has(row.id)) sessions?.set(row.id, row);
    }
  }
  const remarks = all("comments");
  if (remarks.length > 0) {
    const rows = await tx.select().from(comments).where(inArray(comments.id, remarks));
    give("comments", rows, ({ comments }) => comments);
  }
  const files = all("artifacts");
  if (files.length > 0) {
    const rows = await tx.select().from(artifacts).where(inArray(artifacts.id, files));
    give("artifacts", rows, ({ artifacts }) => artifacts);
  }
  const existing = await existingUsers(tx, new Set(all("users")));
  for (const rows of loaded) rows.users = existing;
  const labelled = all("checkpoints");
  if (labelled.length > 0) {
    const rows = await tx.select().from(checkpoints).where(inArray(checkpoints.id, labelled));
    give("checkpoints", rows, ({ checkpoints }) => checkpoints);
  }
  return loaded;
}

/** Everything there is of a run. */
export async function loadAllRows(tx: Connection, run: RunRow): Promise<RunRows> {
  const rows = rowsOf(run);
  for (const row of await tx.select().from(steps).where(eq(steps.runId, run.id))) rows.steps.set(row.id, row);
  const attempts = tx.select({ attempt: stepAttempts }).from(stepAttempts).innerJoin(steps, eq(steps.id, stepAttempts.stepId));
  for (const { attempt } of await attempts.where(eq(steps.runId, run.id))) {
    rows.attempts.set(attemptKey(attempt.stepId, attempt.number), attempt);
  }
  for (const row of await tx.select().from(agentSessions).where(eq(agentSessions.runId, run.id))) rows.sessions.set(row.id, row);
  for (const row of await tx.select().from(toolCalls).where(eq(toolCalls.runId, run.id))) rows.toolCalls.set(row.id, row);
  for (const row of await tx.select().from(approvalAnswers).where(eq(approvalAnswers.runId, run.id)))
    rows.answers.set(row.id, row);
  for (const row of await tx.select().from(comments).where(eq(comments.runId, run.id))) rows.comments.set(row.id, row);
  for (const row of await tx.select().from(artifacts).where(eq(artifacts.runId, run.id))) rows.artifacts.set(row.id, row);
  for (const row of await tx.select().from(checkpoints).where(eq(checkpoints.runId, run.id))) rows.checkpoints.set(row.id, row);
  return rows;
}

export async function existingUsers(tx: Connection, named: ReadonlySet<string>): Promise<Set<string>> {
  if (named.size === 0) return new Set();
  const found = await tx
    .select({ id: users.id })
    .from(users)
    .where(inArray(users.id, [...named]));
  return new Set(found.map(({ id }) => id));
}

export interface Named {
  steps: Set<string>;
  sessions: Set<string>;
  comments: Set<string>;
  artifacts: Set<string>;
  /** Those that exist already. */
  checkpoints: Set<string>;
  users: Set<string>;
}

/** The ids of which facts speak. */
export function namedIn(facts: readonly Told[]): Named {
  const named: Named = {
    steps: new Set(),
    sessions: new Set(),
    comments: new Set(),
    artifacts: new Set(),
    checkpoints: new Set(),
    users: new Set(),
  };
  const name = (set: Set<string>, id: string | null) => id !== null && set.add(id);
  for (const fact of facts) {
    switch (fact.type) {
      case "step.started":
        name(named.steps, fact.step.id);
        break;
      case "step.waiting":
      case "approval.answered":
      case "approval.delegated":
      case "step.resumed":
      case "step.attempt":
      case "step.finished":
        name(named.steps, fact.step_id);
        break;
      case "comment.created":
        name(named.comments, fact.comment.id);
        name(named.steps, fact.comment.step_id);
        name(named.users, fact.comment.created_by);
        break;
      case "artifact.created":
        name(named.artifacts, fact.artifact.id);
        name(named.steps, fact.artifact.step_id);
        name(named.sessions, fact.artifact.agent_session_id);
        break;
      case "artifact.attached":
        name(named.artifacts, fact.artifact_id);
        name(named.comments, fact.comment_id);
        break;
      case "checkpoint.labelled":
        name(named.checkpoints, fact.checkpoint_id);
        break;
      case "session.updated":
        name(named.sessions, fact.session.id);
        name(named.steps, fact.session.step_id);
        break;
      case "tool_call.recorded":
        name(named.sessions, fact.call.agent_session_id);
        name(named.steps, fact.call.step_id);
        break;
      case "log":
        name(named.steps, fact.step_id);
        name(named.comments, logCommentId(fact, fact.level));
        break;
    }
  }
  return named;
}
