import { count, isNull, sql } from "drizzle-orm";
import type { RunStatus } from "../contract/run.js";
import type { Database } from "./database.js";
import { artifacts, comments, projects, runs, steps, workflows } from "./schema.js";

export interface Stats {
  projects: number;
  workflows: number;
  steps: number;
  comments: number;
  artifacts: number;
  runs: { total: number; by_status: Record<RunStatus, number> };
  /** Completed among finished runs, 0 to 1; null while none has finished. */
  success_rate: number | null;
  /** Of completed runs, in milliseconds. */
  average_duration_ms: number | null;
}

export async function getStats(db: Database): Promise<Stats> {
  const byStatus = await db.orm.select({ status: runs.status, total: count() }).from(runs).groupBy(runs.status);
  const counted = new Map(byStatus.map((row) => [row.status, row.total]));
  const of = (status: RunStatus) => counted.get(status) ?? 0;
  const finished = of("completed") + of("failed") + of("cancelled") + of("timed_out");
  const [mean] = await db.orm
    .select({
      average: sql<number | null>`
        (avg(extract(epoch from ${runs.completedAt} - ${runs.startedAt}) * 1000) filter (where ${runs.status} = 'completed'))::float8`,
    })
    .from(runs);
  return {
    projects: await db.orm.$count(projects),
    workflows: await db.orm.$count(workflows, isNull(workflows.archivedAt)),
    steps: await db.orm.$count(steps),
    comments: await db.orm.$count(comments),
    artifacts: await db.orm.$count(artifacts),
    runs: {
      total: byStatus.reduce((sum, row) => sum + row.total, 0),
      by_status: {
        pending: of("pending"),
        running: of("running"),
        paused: of("paused"),
        waiting: of("waiting"),
        completed: of("completed"),
        failed: of("failed"),
        cancelled: of("cancelled"),
        timed_out: of("timed_out"),
      },
    },
    success_rate: finished === 0 ? null : of("completed") / finished,
    average_duration_ms: mean?.average == null ? null : Math.max(0, Math.round(mean.average)),
  };
}
