import { and, eq, inArray, sql } from "drizzle-orm";
import type { RetentionKind } from "../contract/retention.js";
import type { WorkspaceSpec } from "../contract/run-spec.js";
import type { Database } from "./database.js";
import { lockRuns } from "./projection-load.js";
import { checkpoints, logChunks, projects, runs } from "./schema.js";

/** A run that ended long enough ago, and has something of a kind. */
export interface EndedRun {
  id: string;
  name: string;
  project_id: string;
  /** Absolute. */
  project_path: string;
  workspace: WorkspaceSpec;
  ended_at: Date;
  count: number;
  size_bytes: number;
  /** A run under way that goes on from this one, or is part of it. */
  needed_by: string | null;
}

export interface EndedFilter {
  before: Date;
  project_id?: string | undefined;
  run_id?: string | undefined;
  /** Only these. */
  ids?: readonly string[];
  limit: number;
}

const FINISHED = ["completed", "failed", "cancelled", "timed_out"] as const;
const endedAt = sql<Date>`coalesce(${runs.completedAt}, ${runs.updatedAt})`;

/** Runs that ended before a moment and have something of this kind in the database (of trees: whatever they have), the oldest first. */
export async function endedRuns(db: Database, kind: RetentionKind, filter: EndedFilter): Promise<EndedRun[]> {
  const { before, project_id, run_id, ids, limit } = filter;
  if (ids?.length === 0) return [];
  const has = {
    checkpoints: sql`(select count(*)::int as count, sum(size_bytes)::float8 as size from ${checkpoints} where run_id = ${runs.id})`,
    logs: sql`(select count(*)::int as count, sum(octet_length(text))::float8 as size from ${logChunks} where run_id = ${runs.id})`,
    trees: sql`(select 1 as count, 0::float8 as size)`,
    runs: sql`(select 1 as count, 0::float8 as size)`,
  }[kind];
  const there = {
    checkpoints: sql`exists (select from ${checkpoints} where run_id = ${runs.id})`,
    logs: sql`exists (select from ${logChunks} where run_id = ${runs.id})`,
    trees: undefined,
    runs: undefined,
  }[kind];
  const rows = await db.orm
    .select({
      id: runs.id,
      name: runs.name,
      project_id: runs.projectId,
      project_path: projects.path,
      header: runs.header,
      ended_at: sql<string>`to_char(${endedAt} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
      count: sql<number>`has.count`,
      size_bytes: sql<number>`coalesce(has.size, 0)`,
      needed_by: sql<string | null>`(select later.id from ${runs} later
        where later.parent_run_id = ${runs.id} and later.status not in ('completed', 'failed', 'cancelled', 'timed_out') limit 1)`,
    })
    .from(runs)
    .innerJoin(projects, eq(projects.id, runs.projectId))
    .innerJoin(sql`lateral ${has} has`, sql`true`)
    .where(
      and(
        inArray(runs.status, [...FINISHED]),
        sql`${endedAt} < ${before.toISOString()}::timestamptz`,
        project_id === undefined ? undefined : eq(runs.projectId, project_id),
        run_id === undefined ? undefined : eq(runs.id, run_id),
        ids === undefined ? undefined : inArray(runs.id, [...ids]),
        there,
      ),
    )
    .orderBy(endedAt, runs.id)
    .limit(limit);
  return rows.map(({ header, ended_at, ...row }) => ({ ...row, ended_at: new Date(ended_at), workspace: header.workspace }));
}

/** Remove the rows of a kind from a run that is still over. Says whether it was. */
export async function deleteRowsOf(db: Database, kind: "checkpoints" | "logs", runId: string): Promise<boolean> {
  const table = kind === "checkpoints" ? checkpoints : logChunks;
  return db.orm.transaction(async (tx) => {
    await lockRuns(tx, [runId]);
    if (!(await isOver({ orm: tx }, runId))) return false;
    await tx.delete(table).where(eq(table.runId, runId));
    return true;
  });
}

/** Whether a run has finished, and nothing that is under way stands on it. */
export async function isOver({ orm }: { orm: Pick<Database["orm"], "select"> }, runId: string): Promise<boolean> {
  const open = sql`not exists (select from ${runs} later
    where later.parent_run_id = ${runId} and later.status not in ('completed', 'failed', 'cancelled', 'timed_out'))`;
  const found = await orm
    .select({ id: runs.id })
    .from(runs)
    .where(and(eq(runs.id, runId), inArray(runs.status, [...FINISHED]), open));
  return found.length > 0;
}
