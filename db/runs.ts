import { and, count, desc, eq, ilike, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import { NotFoundError } from "../contract/errors.js";
import type { RunHeader } from "../contract/fact.js";
import type { PageQuery } from "../contract/page.js";
import type { Run, RunStatus } from "../contract/run.js";
import type { Step } from "../contract/step.js";
import type { Database } from "./database.js";
import { escapeLike } from "./escape-like.js";
import { type Listed, momentAndId, sliceOf, toPage } from "./page.js";
import { prepared } from "./prepared.js";
import { agentSessions, artifacts, comments, executions, projects, runs, steps, workflows } from "./schema.js";
import { briefsById, getStep, lastSteps, stepBriefs } from "./steps.js";
import { duration, iso, isoOrNull } from "./time.js";
import { usageOfRuns } from "./usage.js";

type RunRow = typeof runs.$inferSelect;

export interface RunFilter extends PageQuery {
  project_id?: string | undefined;
  workflow_id?: string | undefined;
  status?: RunStatus[] | undefined;
  branch?: string | undefined;
  ids?: string[] | undefined;
  /** Runs that this one has started. */
  parent_run_id?: string | undefined;
  /** Part of the run's or its workflow's name, in any case, or the run's id. */
  q?: string | undefined;
}

/** A run with whole steps. */
export type RunWhole = Omit<Run, "steps" | "current_step"> & { steps: Step[]; current_step: Step | null };

/** What a change of a run must know of it. */
export interface RunState {
  id: string;
  project_id: string;
  /** Absolute. */
  project_path: string;
  status: RunStatus;
  header: RunHeader;
}

/** Newest first. `temporal.url` is left null: the reader knows where Temporal's page is. */
export async function listRuns(db: Database, filter: RunFilter): Promise<Listed<Run>> {
  const { limit, offset } = sliceOf(filter);
  const from = filter.cursor === undefined ? undefined : momentAndId(filter.cursor);
  const wanted = wantedBy(filter);
  const older = from && or(lt(runs.createdAt, from.at), and(eq(runs.createdAt, from.at), lt(runs.id, from.id)));
  const rows = await db.orm
    .select({ run: runs, workflow: { name: workflows.name, type: workflows.type } })
    .from(runs)
    .innerJoin(workflows, eq(workflows.id, runs.workflowId))
    .where(and(...wanted, older))
    .orderBy(desc(runs.createdAt), desc(runs.id))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm
    .select({ total: count() })
    .from(runs)
    .innerJoin(workflows, eq(workflows.id, runs.workflowId))
    .where(and(...wanted));

  const ids = rows.map(({ run }) => run.id);
  const current = rows.flatMap(({ run }) => run.currentWorkflowStepId ?? []);
  const [counts, briefs, currentSteps] = [await countsOf(db, ids), await stepBriefs(db, ids), await briefsById(db, current)];
  const usage = await usageOfRuns(db, ids);
  return toPage(filter, {
    rows,
    total: all?.total ?? 0,
    placeOf: ({ run }) => [iso(run.createdAt), run.id],
    toItem: ({ run, workflow }) => ({
      ...toRun(run, workflow),
      usage: usage.get(run.id) ?? null,
      _count: counts.get(run.id) ?? { steps: 0, comments: 0, artifacts: 0 },
      current_step: currentSteps.get(run.currentWorkflowStepId ?? "") ?? null,
      steps: briefs.get(run.id) ?? [],
    }),
  });
}

type RunWish = Omit<RunFilter, keyof PageQuery>;

function wantedBy(filter: RunWish): (SQL | undefined)[] {
  const like = filter.q === undefined ? undefined : `%${escapeLike(filter.q)}%`;
  return [
    filter.ids === undefined ? undefined : inArray(runs.id, filter.ids),
    filter.project_id === undefined ? undefined : eq(runs.projectId, filter.project_id),
    filter.workflow_id === undefined ? undefined : eq(runs.workflowId, filter.workflow_id),
    filter.status === undefined ? undefined : inArray(runs.status, filter.status),
    filter.branch === undefined ? undefined : eq(runs.branchName, filter.branch),
    filter.parent_run_id === undefined ? undefined : eq(runs.parentRunId, filter.parent_run_id),
    like === undefined ? undefined : or(ilike(runs.name, like), ilike(workflows.name, like), eq(runs.id, filter.q ?? "")),
  ];
}

/** How many runs there are of each status. */
export async function countByStatus(db: Database, filter: RunWish): Promise<Map<RunStatus, number>> {
  const rows = await db.orm
    .select({ status: runs.status, total: count() })
    .from(runs)
    .innerJoin(workflows, eq(workflows.id, runs.workflowId))
    .where(and(...wantedBy(filter)))
    .groupBy(runs.status);
  return new Map(rows.map(({ status, total }) => [status, total]));
}

/** Runs by name alone, the oldest first. */
export async function findRuns(db: Database, filter: RunWish, limit: number): Promise<Pick<Run, "id" | "name" | "status">[]> {
  return db.orm
    .select({ id: runs.id, name: runs.name, status: runs.status })
    .from(runs)
    .innerJoin(workflows, eq(workflows.id, runs.workflowId))
    .where(and(...wantedBy(filter)))
    .orderBy(runs.createdAt, runs.id)
    .limit(limit);
}

/**
 * A run with its last 1,000 steps, whole. `superseded`: with those, too, that a restore has superseded.
 *
 * @throws {NotFoundError}
 */
export async function getRun(db: Database, id: string, { superseded = false } = {}): Promise<RunWhole> {
  const [row] = await runById(db).execute({ id });
  if (!row) throw new NotFoundError("run", id);

  const stepsOfRun = row.counts.steps === 0 && !superseded ? [] : await lastSteps(db, id, { ...row, superseded });
  const currentId = row.run.currentWorkflowStepId;
  const current =
    currentId === null ? null : (stepsOfRun.find((step) => step.id === currentId) ?? (await getStep(db, currentId)));
  return {
    ...toRun(row.run, row.workflow),
    usage: row.hasSessions ? ((await usageOfRuns(db, [id])).get(id) ?? null) : null,
    _count: row.counts,
    current_step: current,
    steps: stepsOfRun,
  };
}

const runById = prepared((orm) =>
  orm
    .select({ run: runs, workflow: { name: workflows.name, type: workflows.type }, counts: counted(orm), hasSessions })
    .from(runs)
    .innerJoin(workflows, eq(workflows.id, runs.workflowId))
    .where(eq(runs.id, sql.placeholder("id")))
    .prepare("run_by_id"),
);

const hasSessions = sql<boolean>`exists (select from ${agentSessions} where ${agentSessions.runId} = ${runs.id})`;

/** @throws {NotFoundError} */
export async function getRunState(db: Database, id: string): Promise<RunState> {
  const [row] = await db.orm
    .select({ id: runs.id, project_id: runs.projectId, project_path: projects.path, status: runs.status, header: runs.header })
    .from(runs)
    .innerJoin(projects, eq(projects.id, runs.projectId))
    .where(eq(runs.id, id));
  if (!row) throw new NotFoundError("run", id);
  return row;
}

/** The Temporal executions a run has had. */
export async function executionsOf(db: Database, id: string): Promise<string[]> {
  const rows = await db.orm.select({ execution: executions.execution }).from(executions).where(eq(executions.runId, id));
  return rows.map((row) => row.execution);
}

type Counts = Run["_count"];

async function countsOf(db: Database, ids: string[]): Promise<Map<string, Counts>> {
  if (ids.length === 0) return new Map();
  const rows = await db.orm
    .select({ id: runs.id, counts: counted(db.orm) })
    .from(runs)
    .where(inArray(runs.id, ids));
  return new Map(rows.map(({ id, counts }) => [id, counts]));
}

/** How many of each belong to the run of a row. */
function counted(orm: Database["orm"]) {
  return {
    steps: orm.$count(steps, and(eq(steps.runId, runs.id), eq(steps.superseded, false))),
    comments: orm.$count(comments, eq(comments.runId, runs.id)),
    artifacts: orm.$count(artifacts, eq(artifacts.runId, runs.id)),
  };
}

function toRun(row: RunRow, workflow: { name: string; type: string }): Omit<Run, "_count" | "current_step" | "steps" | "usage"> {
  return {
    id: row.id,
    run_id: row.id,
    project_id: row.projectId,
    user_id: row.userId,
    workflow_id: row.workflowId,
    workflow_definition_id: row.workflowId,
    workflow_revision: row.workflowRevision,
    name: row.name,
    status: row.status,
    input: row.input,
    args: row.input,
    output: row.output,
    error: row.error,
    error_message: row.error?.message ?? null,
    state: row.state,
    context: row.context,
    current_phase: row.currentPhase,
    current_stage: row.currentStage,
    current_step_index: row.currentStepIndex,
    iteration: row.iteration,
    current_workflow_step_id: row.currentWorkflowStepId,
    waiting_for: row.waitingFor,
    branch_name: row.branchName,
    commit_sha: row.commitSha,
    pr_url: row.prUrl,
    log_file_path: row.logFilePath,
    triggered_by: row.triggeredBy,
    priority: row.priority,
    parent_run_id: row.parentRunId,
    resume_count: row.resumeCount,
    started_at: isoOrNull(row.startedAt),
    completed_at: isoOrNull(row.completedAt),
    paused_at: isoOrNull(row.pausedAt),
    cancelled_at: isoOrNull(row.cancelledAt),
    duration_ms: duration(row.startedAt, row.completedAt),
    created_at: iso(row.createdAt),
    updated_at: iso(row.updatedAt),
    temporal: { workflow_id: row.id, run_id: row.temporalRunId, url: null },
    workflow_definition: { id: row.workflowId, name: workflow.name, type: workflow.type, phases: row.header.phases },
  };
}
