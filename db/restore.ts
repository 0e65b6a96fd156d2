import { and, eq, inArray, sql } from "drizzle-orm";
import { ConflictError, NotFoundError } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import { memberKey } from "../contract/panel.js";
import { type Restore, rangesOf } from "../contract/restore.js";
import type { RunSpec } from "../contract/run-spec.js";
import type { StepStatus } from "../contract/step.js";
import type { Database } from "./database.js";
import { checkpoints, events, executions, runs, stepAttempts, steps } from "./schema.js";
import { lastTree } from "./seed.js";
import { getProgram } from "./workflows.js";

/** A step that has ended. */
export interface EndedStep {
  number: number;
  key: string;
  status: StepStatus;
}

/** What a run is to be taken back to. */
export interface RestorePoint {
  /** Null: its beginning. */
  checkpoint_id: string | null;
  /** What stays, in the order in which it ended. */
  kept: EndedStep[];
}

/** Who asks for a restore. */
export interface RestoreRequest {
  id: string;
  at: string;
  by: string | null;
}

/** A run's steps that have ended, in that order. Those that ended only because the run did, and superseded ones, are not among them. */
export async function endedSteps(db: Database, runId: string): Promise<EndedStep[]> {
  const given_up = db.orm
    .select({ id: stepAttempts.stepId })
    .from(stepAttempts)
    .where(and(eq(stepAttempts.stepId, steps.id), eq(stepAttempts.status, "cancelled")));
  return db.orm
    .select({ number: steps.stepNumber, key: steps.stepKey, status: steps.status })
    .from(steps)
    .innerJoin(executions, and(eq(executions.runId, steps.runId), eq(executions.execution, steps.execution)))
    .where(
      and(
        eq(steps.runId, runId),
        eq(steps.superseded, false),
        sql`(${steps.status} in ('completed', 'failed', 'skipped') or (${steps.status} = 'cancelled' and exists ${given_up}))`,
      ),
    )
    .orderBy(executions.createdAt, steps.statusSeq);
}

/**
 * A run's checkpoint as a point to go back to.
 *
 * @throws {NotFoundError} when the run has none of this id; {ConflictError} `superseded`.
 */
export async function pointAt(db: Database, runId: string, checkpointId: string): Promise<RestorePoint> {
  const [checkpoint] = await db.orm
    .select({ number: checkpoints.stepNumber })
    .from(checkpoints)
    .where(and(eq(checkpoints.id, checkpointId), eq(checkpoints.runId, runId)));
  if (!checkpoint) throw new NotFoundError("checkpoint", checkpointId);
  const ended = await endedSteps(db, runId);
  const last = ended.findIndex(({ number }) => number === checkpoint.number);
  if (last >= 0) return { checkpoint_id: checkpointId, kept: await withoutOpenPanels(db, runId, ended.slice(0, last + 1)) };
  const message = `The run was restored to what it was before the checkpoint ${checkpointId}. \`longhaul checkpoints\` lists those it has.`;
  throw new ConflictError(message, "superseded");
}

/** The point just before a step ended; without a step, that at which the last one had. */
export async function pointBefore(db: Database, runId: string, step: number | undefined): Promise<RestorePoint> {
  const ended = await endedSteps(db, runId);
  const at = ended.findIndex(({ number }) => number === step);
  const kept = await withoutOpenPanels(db, runId, at < 0 ? ended : ended.slice(0, at));
  const found = await automaticCheckpoints(db, runId, kept);
  const last = kept.findLast(({ number }) => found.has(number));
  return { checkpoint_id: last ? (found.get(last.number)?.id ?? null) : null, kept };
}

/** A panel that had not ended is asked anew, all of its members. */
async function withoutOpenPanels(db: Database, runId: string, kept: EndedStep[]): Promise<EndedStep[]> {
  const panels = await db.orm
    .select({ number: steps.stepNumber, key: steps.stepKey })
    .from(steps)
    .where(and(eq(steps.runId, runId), eq(steps.superseded, false), eq(steps.kind, "agent"), sql`${steps.input} ? 'providers'`));
  const open = panels.filter(({ number }) => !kept.some((step) => step.number === number));
  return kept.filter((step) => !open.some(({ number, key }) => step.number > number && step.key.startsWith(memberKey(key, ""))));
}

/**
 * What a run's next execution is started with, that goes on from this point as if nothing had been after it.
 *
 * @throws {NotFoundError} when the run, or its program, is not there.
 */
export async function planRestore(
  db: Database,
  runId: string,
  { checkpoint_id, kept }: RestorePoint,
  request: RestoreRequest,
): Promise<RunSpec & { restore: Restore }> {
  const [run] = await db.orm
    .select({
      header: runs.header,
      count: runs.resumeCount,
      numbers: sql<number>`coalesce((select max(s.step_number) from mirror.steps s where s.run_id = mirror.runs.id), 0)::int`,
    })
    .from(runs)
    .where(eq(runs.id, runId));
  if (!run) throw new NotFoundError("run", runId);
  const { seed: _, restore: __, ...header } = run.header; // what it took over has become its own
  const { workflow_id, workflow_revision, phases, workspace } = header;
  const program = await getProgram(db, workflow_id, workflow_revision);
  if (!program) throw new NotFoundError("program", `of the run ${runId}`);

  const found = await automaticCheckpoints(db, runId, kept);
  const last = kept.at(-1);
  const state = kept.findLast(({ number }) => found.has(number));
  const restore: Restore = {
    count: run.count + 1,
    request: request.id,
    at: request.at,
    by: request.by,
    checkpoint_id,
    kept: rangesOf(kept.map(({ number }) => number)),
    numbers: run.numbers,
    state: (state && found.get(state.number)?.state) ?? {},
    phase: (last && (await phaseOf(db, runId, last))) ?? phases[0] ?? null,
    ...(await gitOf(db, runId, kept)),
    tree: (await lastTree(db, runId, kept)) ?? null,
  };
  return { ...header, program, workspace: { ...workspace, restored: restore.count }, restore };
}

/** Whether this request has restored the run already. */
export async function isRestored(db: Database, runId: string, request: string): Promise<boolean> {
  const one = and(eq(events.runId, runId), eq(events.key, `restored:${request}`));
  return (await db.orm.select({ seq: events.seq }).from(events).where(one)).length > 0;
}

/** Have one restore of a run at a time, whoever does it. */
export async function whileRestoring<Result>(db: Database, runId: string, work: () => Promise<Result>): Promise<Result> {
  return db.orm.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`restore ${runId}`}, 0))`);
    return work();
  });
}

/** What of a point the run's next execution asks for once nothing of the earlier ones is left to tell. */
export async function resumptionOf(
  db: Database,
  runId: string,
  { kept }: Pick<Restore, "kept">,
): Promise<{ order: number[]; numbers: number; comments: number; labels: number; began: number }> {
  const ended = await endedSteps(db, runId);
  const stays = new Set(kept.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i)));
  const own = sql`'^' || mirror.runs.id || '-c([0-9]+)$'`;
  const [run] = await db.orm
    .select({
      numbers: sql<number>`coalesce((select max(s.step_number) from mirror.steps s where s.run_id = mirror.runs.id), 0)::int`,
      comments: sql<number>`coalesce((select max(substring(c.id from ${own})::int) from mirror.comments c where c.run_id = mirror.runs.id), 0)::int`,
      labels: sql<number>`(select count(*) * 2 from mirror.checkpoints k where k.run_id = mirror.runs.id and k.created_by = 'user')::int`,
      began: sql<number>`extract(epoch from coalesce(${runs.startedAt}, ${runs.createdAt})) * 1000`,
    })
    .from(runs)
    .where(eq(runs.id, runId));
  if (!run) throw new NotFoundError("run", runId);
  return { ...run, began: Math.floor(Number(run.began)), order: ended.map(({ number }) => number).filter((n) => stays.has(n)) };
}

async function automaticCheckpoints(db: Database, runId: string, kept: readonly EndedStep[]) {
  if (kept.length === 0) return new Map<number, Pick<typeof checkpoints.$inferSelect, "id" | "state" | "stepNumber">>();
  const numbers = kept.map(({ number }) => number);
  const rows = await db.orm
    .select({ id: checkpoints.id, state: checkpoints.state, stepNumber: checkpoints.stepNumber })
    .from(checkpoints)
    .where(and(eq(checkpoints.runId, runId), inArray(checkpoints.stepNumber, numbers), eq(checkpoints.createdBy, "automatic")));
  return new Map(rows.map((row) => [row.stepNumber, row]));
}

async function phaseOf(db: Database, runId: string, { number }: EndedStep): Promise<string | null> {
  const one = and(eq(steps.runId, runId), eq(steps.stepNumber, number));
  const [row] = await db.orm.select({ phase: steps.phase }).from(steps).where(one);
  return row?.phase ?? null;
}

/** The branch and commit that the steps of git among these have left. */
async function gitOf(
  db: Database,
  runId: string,
  kept: readonly EndedStep[],
): Promise<Pick<Restore, "branch_name" | "commit_sha">> {
  const numbers = kept.map(({ number }) => number);
  const ofGit = and(eq(steps.runId, runId), eq(steps.kind, "git"), eq(steps.superseded, false));
  const rows = await db.orm.select({ number: steps.stepNumber, output: steps.output }).from(steps).where(ofGit);
  const byNumber = new Map(rows.map(({ number, output }) => [number, output]));
  const last = (field: string) =>
    numbers.map((number) => textOf(byNumber.get(number) ?? null, field)).findLast((text) => text !== null) ?? null;
  return { branch_name: last("branch"), commit_sha: last("sha") };
}

function textOf(value: Json, field: string): string | null {
  const found = typeof value === "object" && value !== null && !Array.isArray(value) ? value[field] : null;
  return typeof found === "string" ? found : null;
}
