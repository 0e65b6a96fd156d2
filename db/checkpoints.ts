import { and, count, desc, eq, getTableColumns, lt, sql } from "drizzle-orm";
import { Checkpoint } from "../contract/checkpoint.js";
import type { PageQuery } from "../contract/page.js";
import type { Database } from "./database.js";
import { type Listed, numberOf, sliceOf, toPage } from "./page.js";
import { checkpoints } from "./schema.js";
import { iso } from "./time.js";

/** A run's checkpoints, that of the last step first. */
export async function listCheckpoints(db: Database, runId: string, query: PageQuery): Promise<Listed<Checkpoint>> {
  const { limit, offset } = sliceOf(query);
  const ofRun = eq(checkpoints.runId, runId);
  const earlier = query.cursor === undefined ? undefined : lt(checkpoints.stepNumber, numberOf(query.cursor));
  const rows = await db.orm
    .select({ ...getTableColumns(checkpoints), completedSteps: completedBefore })
    .from(checkpoints)
    .where(and(ofRun, earlier))
    .orderBy(desc(checkpoints.stepNumber), desc(checkpoints.id))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(checkpoints).where(ofRun);
  return toPage(query, { rows, total: all?.total ?? 0, placeOf: (row) => [row.stepNumber], toItem: toCheckpoint });
}

/** A row holds what its own step added; a checkpoint lists all that had finished by then. */
const completedBefore = sql<string[]>`(
  select coalesce(jsonb_agg(step.key order by earlier.created_at, earlier.step_number), '[]'::jsonb)
  from mirror.checkpoints earlier, jsonb_array_elements_text(earlier.completed_steps) as step(key)
  where earlier.run_id = ${checkpoints.runId}
    and (earlier.created_at, earlier.step_number) <= (${checkpoints.createdAt}, ${checkpoints.stepNumber}))`;

function toCheckpoint(row: typeof checkpoints.$inferSelect): Checkpoint {
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
    size_bytes: row.sizeBytes,
    created_at: iso(row.createdAt),
  });
}
