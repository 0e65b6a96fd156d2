import { desc, eq, sql } from "drizzle-orm";
import type { CheckpointStats } from "../contract/checkpoint.js";
import type { Database } from "./database.js";
import { checkpoints, runs } from "./schema.js";

const MOST_RUNS = 100;

/** How many checkpoints there are, and of which runs. */
export async function checkpointStats(
  db: Database,
  { run_id, project_id }: { run_id?: string | undefined; project_id?: string | undefined } = {},
): Promise<CheckpointStats> {
  const wanted = run_id === undefined ? undefined : eq(runs.id, run_id);
  const ofProject = project_id === undefined ? undefined : eq(runs.projectId, project_id);
  const where = sql`${wanted ?? sql`true`} and ${ofProject ?? sql`true`}`;
  const joined = () => eq(runs.id, checkpoints.runId);
  const [all] = await db.orm.select(sums).from(checkpoints).innerJoin(runs, joined()).where(where);
  const byRun = await db.orm
    .select({ run_id: runs.id, name: runs.name, ...sums })
    .from(checkpoints)
    .innerJoin(runs, joined())
    .where(where)
    .groupBy(runs.id)
    .orderBy(desc(sums.size_bytes), runs.id)
    .limit(MOST_RUNS);
  const now = Date.now();
  return {
    ...aged(all ?? { count: 0, size_bytes: 0, latest_at: null, oldest_at: null }, now),
    runs: byRun.map(({ run_id, name, ...row }) => ({ run_id, name, ...aged(row, now) })),
  };
}

const moment = (which: "min" | "max") =>
  sql<string | null>`to_char(${sql.raw(which)}(${checkpoints.createdAt}) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const sums = {
  count: sql<number>`count(*)::int`,
  size_bytes: sql<number>`coalesce(sum(${checkpoints.sizeBytes}), 0)::float8`,
  latest_at: moment("max"),
  oldest_at: moment("min"),
};

interface Row {
  count: number;
  size_bytes: number;
  latest_at: string | null;
  oldest_at: string | null;
}

function aged(row: Row, now: number) {
  return { ...row, oldest_age_ms: row.oldest_at === null ? null : Math.max(0, now - Date.parse(row.oldest_at)) };
}
