import { and, desc, eq, gte, sql } from "drizzle-orm";
import type { RunStatus } from "../contract/run.js";
import type { StepKind } from "../contract/step.js";
import type { StepStats, WorkflowStats } from "../contract/workflow-stats.js";
import type { Database } from "./database.js";
import { events, runs, steps } from "./schema.js";
import { iso, isoOrNull } from "./time.js";

/** Steps that are told of; a run in TypeScript may make up any number of names. */
const MOST_STEPS = 1_000;

/** How a workflow's runs and their steps went. @param since runs made before it do not count */
export async function getWorkflowStats(db: Database, workflowId: string, since: Date | null): Promise<WorkflowStats> {
  const [ofRuns, last_run, ofSteps] = await Promise.all([
    runStats(db, workflowId, since),
    lastRun(db, workflowId, since),
    stepStats(db, workflowId, since),
  ]);
  return { workflow_id: workflowId, since: isoOrNull(since), ...ofRuns, last_run, steps: ofSteps };
}

type RunStats = Omit<WorkflowStats, "workflow_id" | "since" | "last_run" | "steps">;

interface RunStatsRow extends Record<string, unknown> {
  executions: number;
  by_status: Partial<Record<RunStatus, number>>;
  /** Average, median, and what 95 of 100 stay below. */
  duration: (number | null)[];
  running: (number | null)[];
}

/** A run's running time is that between its being told running and what it was told next; the mirror's `events_status` finds both. */
async function runStats(db: Database, workflowId: string, since: Date | null): Promise<RunStats> {
  const { rows } = await db.orm.execute<RunStatsRow>(sql`
    with chosen as (
      select id, status, case when status = 'completed' then
          greatest(extract(epoch from completed_at - started_at) * 1000, 0)::float8
        end as duration
      from ${runs}
      where ${ofWorkflow(workflowId, since)}
    ), told as (
      select run_id, data ->> 'status' as status, at, lead(at) over (partition by run_id order by seq) as until
      from ${events}
      where type = 'workflow.execution.status_changed' and run_id in (select id from chosen where status = 'completed')
    ), running as (
      select run_id, sum(greatest(extract(epoch from until - at) * 1000, 0))::float8 as ms
      from told
      where status = 'running'
      group by run_id
    ), counted as (
      select coalesce(jsonb_object_agg(status, number), '{}') as by_status
      from (select status, count(*) as number from chosen group by status) one
    )
    select
      count(*)::int as executions,
      (select by_status from counted) as by_status,
      array[avg(duration)] || percentile_cont(array[0.5, 0.95]) within group (order by duration) as duration,
      array[avg(ms)] || percentile_cont(array[0.5, 0.95]) within group (order by ms) as running
    from chosen
    left join running on running.run_id = chosen.id`);
  const [row] = rows;
  if (!row) throw new Error("An aggregate without groups has one row.");
  return toRunStats(row);
}

function toRunStats({ executions, by_status, duration, running }: RunStatsRow): RunStats {
  const of = (status: RunStatus) => by_status[status] ?? 0;
  const finished = of("completed") + of("failed") + of("cancelled") + of("timed_out");
  const [average_duration_ms = null, p50_duration_ms = null, p95_duration_ms = null] = duration.map(rounded);
  const [average_running_ms = null, p50_running_ms = null, p95_running_ms = null] = running.map(rounded);
  return {
    executions,
    successful: of("completed"),
    failed: of("failed"),
    timed_out: of("timed_out"),
    cancelled: of("cancelled"),
    open: executions - finished,
    success_rate: finished === 0 ? null : of("completed") / finished,
    average_duration_ms,
    p50_duration_ms,
    p95_duration_ms,
    average_running_ms,
    p50_running_ms,
    p95_running_ms,
  };
}

async function lastRun(db: Database, workflowId: string, since: Date | null): Promise<WorkflowStats["last_run"]> {
  const { id, name, status, createdAt, startedAt, completedAt } = runs;
  const [row] = await db.orm
    .select({ id, name, status, createdAt, startedAt, completedAt })
    .from(runs)
    .where(ofWorkflow(workflowId, since))
    .orderBy(desc(createdAt), desc(id))
    .limit(1);
  if (!row) return null;
  const times = {
    created_at: iso(row.createdAt),
    started_at: isoOrNull(row.startedAt),
    completed_at: isoOrNull(row.completedAt),
  };
  return { id: row.id, name: row.name, status: row.status, ...times };
}

interface StepStatsRow extends Record<string, unknown> {
  key: string;
  /** Of the latest doing. */
  name: string;
  kind: StepKind;
  phase: string | null;
  executions: number;
  successful: number;
  failed: number;
  skipped: number;
  retries: number;
  average: number | null;
  p95: number | null;
}

async function stepStats(db: Database, workflowId: string, since: Date | null): Promise<StepStats[]> {
  const { rows } = await db.orm.execute<StepStatsRow>(sql`
    with done as (
      select
        ${steps.stepKey} as key, ${steps.name} as name, ${steps.kind} as kind, ${steps.phase} as phase, ${steps.status} as status,
        ${steps.stepNumber} as number, ${steps.attemptNumber} as attempt, ${runs.createdAt} as made,
        case when ${steps.status} = 'completed' then
          greatest(extract(epoch from ${steps.completedAt} - ${steps.startedAt}) * 1000, 0)::float8
        end as duration
      from ${steps}
      join ${runs} on ${runs.id} = ${steps.runId}
      where ${ofWorkflow(workflowId, since)}
    )
    select
      key,
      (array_agg(name order by made desc, number desc))[1] as name,
      (array_agg(kind order by made desc, number desc))[1] as kind,
      (array_agg(phase order by made desc, number desc))[1] as phase,
      (count(*) filter (where status not in ('pending', 'skipped')))::int as executions,
      (count(*) filter (where status = 'completed'))::int as successful,
      (count(*) filter (where status = 'failed'))::int as failed,
      (count(*) filter (where status = 'skipped'))::int as skipped,
      sum(greatest(attempt - 1, 0))::int as retries,
      avg(duration) as average,
      percentile_cont(0.95) within group (order by duration) as p95
    from done
    group by key
    order by min(number), key
    limit ${MOST_STEPS}`);
  return rows.map(({ average, p95, ...row }) => ({
    ...row,
    failure_rate: row.failed + row.successful === 0 ? null : row.failed / (row.failed + row.successful),
    average_duration_ms: rounded(average),
    p95_duration_ms: rounded(p95),
  }));
}

function ofWorkflow(workflowId: string, since: Date | null) {
  return and(eq(runs.workflowId, workflowId), since === null ? undefined : gte(runs.createdAt, since));
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
