import { and, desc, eq, inArray, isNotNull, isNull, lte, sql } from "drizzle-orm";
import type { RunStatus } from "../contract/run.js";
import type { Database } from "./database.js";
import { events, executions, projects, runs, tombstones } from "./schema.js";

/** This execution has been replayed after its end, corrected and archived. */
export async function markSettled(db: Database, runId: string, execution: string): Promise<void> {
  await db.orm
    .update(executions)
    .set({ settledAt: new Date() })
    .where(and(eq(executions.runId, runId), eq(executions.execution, execution)));
}

/** The run's executions, oldest first: one that was continued, reset or restored has several. */
export async function executionsOf(db: Database, runId: string): Promise<string[]> {
  const rows = await db.orm
    .select({ execution: executions.execution })
    .from(executions)
    .where(eq(executions.runId, runId))
    .orderBy(executions.createdAt);
  return rows.map((row) => row.execution);
}

export interface UnsettledExecution {
  runId: string;
  execution: string;
  status: RunStatus;
}

const FINISHED: RunStatus[] = ["completed", "failed", "cancelled", "timed_out"];

/** Executions that no replay has confirmed since they ended, or that have not ended, oldest first. */
export async function unsettledExecutions(db: Database, { finished }: { finished: boolean }): Promise<UnsettledExecution[]> {
  const status = inArray(runs.status, FINISHED);
  return db.orm
    .select({ runId: executions.runId, execution: executions.execution, status: runs.status })
    .from(executions)
    .innerJoin(runs, eq(runs.id, executions.runId))
    .where(and(isNull(executions.settledAt), finished ? status : sql`not ${status}`))
    .orderBy(executions.createdAt)
    .limit(500);
}

/** Runs under this one, whatever the depth, that have not finished. */
export async function openChildren(db: Database, runId: string): Promise<string[]> {
  const { rows } = await db.orm.execute<{ id: string; status: RunStatus }>(sql`
    with recursive tree as (
      select id, status from mirror.runs where parent_run_id = ${runId} and triggered_by = 'workflow'
      union
      select r.id, r.status from mirror.runs r join tree on r.parent_run_id = tree.id and r.triggered_by = 'workflow'
    )
    select id, status from tree`);
  return rows.filter(({ status }) => !FINISHED.includes(status)).map(({ id }) => id);
}

/** Which of these executions, each with its run's id, are settled or have gone with their run. */
export async function settledAmong(db: Database, known: ReadonlyMap<string, string>): Promise<string[]> {
  if (known.size === 0) return [];
  const settled = await db.orm
    .select({ execution: executions.execution })
    .from(executions)
    .where(and(inArray(executions.execution, [...known.keys()]), isNotNull(executions.settledAt)));
  const deleted = await db.orm
    .select({ runId: tombstones.runId })
    .from(tombstones)
    .where(inArray(tombstones.runId, [...new Set(known.values())]));
  const gone = new Set(deleted.map(({ runId }) => runId));
  const closed = new Set(settled.map(({ execution }) => execution));
  return [...known].flatMap(([execution, runId]) => (closed.has(execution) || gone.has(runId) ? [execution] : []));
}

/** Runs of which nothing was narrated yet: their row is the API's word alone. With `before`, those that were accepted by then. */
export async function unnarratedRuns(db: Database, before?: Date): Promise<string[]> {
  const rows = await db.orm
    .select({ id: runs.id })
    .from(runs)
    .leftJoin(executions, eq(executions.runId, runs.id))
    .where(and(isNull(executions.runId), eq(runs.status, "pending"), before && lte(runs.createdAt, before)))
    .limit(500);
  return rows.map(({ id }) => id);
}

/** The folder of the run's project; null when the run is not there. */
export async function projectPathOf(db: Database, runId: string): Promise<string | null> {
  const [row] = await db.orm
    .select({ path: projects.path })
    .from(runs)
    .innerJoin(projects, eq(projects.id, runs.projectId))
    .where(eq(runs.id, runId));
  return row?.path ?? null;
}

/** The run's status, and the key of the event that told it last; null when there is no such run. */
export async function statusOf(db: Database, runId: string): Promise<{ status: RunStatus; key: string | null } | null> {
  const last = db.orm
    .select({ key: events.key })
    .from(events)
    .where(and(eq(events.runId, runId), eq(events.type, "workflow.execution.status_changed")))
    .orderBy(desc(events.seq))
    .limit(1);
  const [row] = await db.orm
    .select({ status: runs.status, key: sql<string | null>`(${last})` })
    .from(runs)
    .where(eq(runs.id, runId));
  return row ?? null;
}
