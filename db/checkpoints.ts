import { and, count, desc, eq, getTableColumns, isNotNull, type SQL, sql } from "drizzle-orm";
import { Checkpoint, type CheckpointTree, type WholeCheckpoint } from "../contract/checkpoint.js";
import { NotFoundError } from "../contract/errors.js";
import type { StepRef } from "../contract/fact.js";
import { checkpointFilePath } from "./checkpoint-file.js";
import { pendingIn } from "./checkpoint-pending.js";
import { resultsOf } from "./checkpoint-results.js";
import type { Database } from "./database.js";
import { type Listed, scoreMomentAndId, sliceOf, toPage } from "./page.js";
import { checkpoints, runs, steps } from "./schema.js";
import type { StepQuery } from "./steps.js";
import { iso } from "./time.js";

type CheckpointRow = typeof checkpoints.$inferSelect;

/** A run's checkpoints, that of the last step first. */
export async function listCheckpoints(db: Database, runId: string, query: StepQuery): Promise<Listed<Checkpoint>> {
  const { limit, offset } = sliceOf(query);
  const ofRun = and(eq(checkpoints.runId, runId), query.superseded ? undefined : isCurrent(sql`checkpoints.step_id`));
  const rows = await db.orm
    .select({ ...getTableColumns(checkpoints), completedSteps: completedBefore })
    .from(checkpoints)
    .where(and(ofRun, query.cursor === undefined ? undefined : earlierThan(query.cursor)))
    .orderBy(desc(checkpoints.stepNumber), desc(checkpoints.createdAt), desc(checkpoints.id))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(checkpoints).where(ofRun);
  const pendingAt = rows.length > 0 ? await pendingIn(db, runId) : () => [];
  return toPage(query, {
    rows,
    total: all?.total ?? 0,
    placeOf: (row) => [row.stepNumber, iso(row.createdAt), row.id],
    toItem: (row) => toCheckpoint({ ...row, pendingSteps: pendingAt(row.createdAt) }),
  });
}

function earlierThan(cursor: string) {
  const { score, at, id } = scoreMomentAndId(cursor);
  const { stepNumber, createdAt } = checkpoints;
  return sql`(${stepNumber}, ${createdAt}, ${checkpoints.id}) < (${score}::int, ${iso(at)}::timestamptz, ${id})`;
}

/** Which run's and which step's checkpoint it is; undefined when there is none. */
export async function findCheckpoint(db: Database, id: string): Promise<{ run_id: string; step_number: number } | undefined> {
  const columns = { run_id: checkpoints.runId, step_number: checkpoints.stepNumber };
  const [found] = await db.orm.select(columns).from(checkpoints).where(eq(checkpoints.id, id));
  return found;
}

/** Of a step that no restore has superseded. */
function isCurrent(stepId: SQL): SQL {
  return sql`not exists (select from mirror.steps as other where other.id = ${stepId} and other.superseded)`;
}

/** A row holds what its own step added; a checkpoint lists all that had finished by then. Names in full: a column alone would be `earlier`'s. */
const completedBefore = sql<string[]>`(
  select coalesce(jsonb_agg(step.key order by earlier.created_at, earlier.step_number), '[]'::jsonb)
  from mirror.checkpoints earlier, jsonb_array_elements_text(earlier.completed_steps) as step(key)
  where earlier.run_id = checkpoints.run_id and ${isCurrent(sql`earlier.step_id`)}
    and (earlier.created_at, earlier.step_number) <= (checkpoints.created_at, checkpoints.step_number))`;

/** A checkpoint, and where its run's files lie. */
export interface StoredCheckpoint {
  checkpoint: WholeCheckpoint;
  /** Absolute. */
  project_path: string;
  /** Absolute, of the run's tree. */
  tree_path: string;
}

/** @throws {NotFoundError} */
export async function getCheckpoint(db: Database, id: string): Promise<StoredCheckpoint> {
  const [found] = await db.orm
    .select({ row: { ...getTableColumns(checkpoints), completedSteps: completedBefore }, header: runs.header })
    .from(checkpoints)
    .innerJoin(runs, eq(runs.id, checkpoints.runId))
    .where(eq(checkpoints.id, id));
  if (!found) throw new NotFoundError("checkpoint", id);
  const { row, header } = found;
  const [pendingAt, results, tree] = await Promise.all([
    pendingIn(db, row.runId),
    resultsOf(db, row.runId, row),
    treeAt(db, row),
  ]);
  const checkpoint = {
    ...toCheckpoint({ ...row, pendingSteps: pendingAt(row.createdAt) }),
    step_results: Object.fromEntries(results.map(({ stepId, status, data }) => [stepId, { stepId, status, data }])),
    tree,
    file_path: checkpointFilePath(row),
  };
  return { checkpoint, project_path: header.project_path, tree_path: header.workspace.path };
}

/** The last tree that was kept by then. */
async function treeAt(db: Database, { runId, createdAt, stepNumber }: CheckpointRow): Promise<CheckpointTree | null> {
  const by = sql`(${checkpoints.createdAt}, ${checkpoints.stepNumber}) <= (${iso(createdAt)}::timestamptz, ${stepNumber}::int)`;
  const [last] = await db.orm
    .select({ commit_sha: checkpoints.commitSha, step_number: checkpoints.stepNumber })
    .from(checkpoints)
    .where(and(eq(checkpoints.runId, runId), isNotNull(checkpoints.commitSha), by))
    .orderBy(desc(checkpoints.createdAt), desc(checkpoints.stepNumber))
    .limit(1);
  if (!last?.commit_sha) return null;
  const { commit_sha, step_number } = last;
  return { commit_sha, step_number, ref: `refs/longhaul/${runId}/${step_number}` };
}

/** Whether a run has any left. */
export async function hasCheckpoints(db: Database, runId: string): Promise<boolean> {
  const found = await db.orm.select({ id: checkpoints.id }).from(checkpoints).where(eq(checkpoints.runId, runId)).limit(1);
  return found.length > 0;
}

/** The step of a run that completed last, if one has. */
export async function latestStep(db: Database, runId: string): Promise<StepRef | undefined> {
  const [row] = await db.orm
    .select()
    .from(steps)
    .where(and(eq(steps.runId, runId), eq(steps.status, "completed")))
    .orderBy(desc(steps.completedAt), desc(steps.stepNumber))
    .limit(1);
  if (!row) return undefined;
  const { id, stepNumber: number, stepKey: key, name, phase, kind, iteration } = row;
  return { id, number, key, name, phase, kind, iteration };
}

function toCheckpoint(row: CheckpointRow): Checkpoint {
  return Checkpoint.parse({
    id: row.id,
    run_id: row.runId,
    step_number: row.stepNumber,
    step_id: row.stepId,
    state: row.state,
    context: row.context,
    completed_steps: row.completedSteps,
    pending_steps: row.pendingSteps,
    label: row.label,
    created_by: row.createdBy,
    commit_sha: row.commitSha,
    tree_sha: row.treeSha,
    tree_shared: row.treeShared,
    size_bytes: row.sizeBytes,
    created_at: iso(row.createdAt),
  });
}
