import { and, asc, count, desc, eq, inArray, lt, sql } from "drizzle-orm";
import type { z } from "zod";
import { NotFoundError } from "../contract/errors.js";
import type { PageQuery } from "../contract/page.js";
import type { SessionSummary, Step, StepAttempt, StepBrief } from "../contract/step.js";
import { sumUsage } from "../contract/usage.js";
import type { Database } from "./database.js";
import { type Listed, numberOf, sliceOf, toPage } from "./page.js";
import { prepared } from "./prepared.js";
import { agentSessions, stepAttempts, steps } from "./schema.js";
import { duration, iso, isoOrNull } from "./time.js";

type StepRow = typeof steps.$inferSelect;
type Session = z.infer<typeof SessionSummary>;

/** A run shows no more of its steps at once; the list of steps has them all. */
const MOST_STEPS = 1000;

export interface StepQuery extends PageQuery {
  /** Those that a restore has superseded, too. @default false */
  superseded?: boolean | undefined;
}

/** A run's steps, the last first. */
export async function listSteps(db: Database, runId: string, query: StepQuery): Promise<Listed<Step>> {
  const ofRun = and(eq(steps.runId, runId), query.superseded ? undefined : eq(steps.superseded, false));
  const { limit, offset } = sliceOf(query);
  const earlier = query.cursor === undefined ? undefined : lt(steps.stepNumber, numberOf(query.cursor));
  const rows = await db.orm
    .select()
    .from(steps)
    .where(and(ofRun, earlier))
    .orderBy(desc(steps.stepNumber))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(steps).where(ofRun);
  const sessions = await sessionsOf(
    db,
    rows.map((row) => row.id),
  );
  return toPage(query, {
    rows,
    total: all?.total ?? 0,
    placeOf: (row) => [row.stepNumber],
    toItem: (row) => toStep(row, sessions.get(row.id) ?? []),
  });
}

/**
 * A run's last 1,000 steps, in the order of their numbers; without those that a restore has superseded, unless they are asked for.
 *
 * @param hasSessions whether the run has agent sessions at all: most have none, which then are not asked for.
 */
export async function lastSteps(
  db: Database,
  runId: string,
  { hasSessions, superseded = false }: { hasSessions: boolean; superseded?: boolean },
): Promise<Step[]> {
  const rows = await stepsFromLast(db).execute({ runId, superseded });
  const ids = hasSessions ? rows.map((row) => row.id) : [];
  const sessions = await sessionsOf(db, ids);
  return rows.reverse().map((row) => toStep(row, sessions.get(row.id) ?? []));
}

const stepsFromLast = prepared((orm) =>
  orm
    .select()
    .from(steps)
    .where(
      and(eq(steps.runId, sql.placeholder("runId")), sql`(not ${steps.superseded} or ${sql.placeholder("superseded")}::boolean)`),
    )
    .orderBy(desc(steps.stepNumber))
    .limit(MOST_STEPS)
    .prepare("steps_from_last"),
);

/** The last 1,000 steps of each run, in the order of their numbers. */
export async function stepBriefs(db: Database, runIds: string[]): Promise<Map<string, StepBrief[]>> {
  if (runIds.length === 0) return new Map();
  const ranked = db.orm
    .select({
      id: steps.id,
      runId: steps.runId,
      stepKey: steps.stepKey,
      stepNumber: steps.stepNumber,
      name: steps.name,
      phase: steps.phase,
      status: steps.status,
      superseded: steps.superseded,
      fromLast: sql<number>`row_number() over (partition by ${steps.runId} order by ${steps.stepNumber} desc)`.as("from_last"),
    })
    .from(steps)
    .where(and(inArray(steps.runId, runIds), eq(steps.superseded, false)))
    .as("ranked");
  const rows = await db.orm
    .select()
    .from(ranked)
    .where(sql`${ranked.fromLast} <= ${MOST_STEPS}`)
    .orderBy(asc(ranked.runId), asc(ranked.stepNumber));
  const briefs = new Map<string, StepBrief[]>(runIds.map((id) => [id, []]));
  for (const row of rows) briefs.get(row.runId)?.push(toBrief(row));
  return briefs;
}

export async function briefsById(db: Database, ids: string[]): Promise<Map<string, StepBrief>> {
  if (ids.length === 0) return new Map();
  const rows = await db.orm.select().from(steps).where(inArray(steps.id, ids));
  return new Map(rows.map((row) => [row.id, toBrief(row)]));
}

/** @throws {NotFoundError} */
export async function getStep(db: Database, id: string): Promise<Step> {
  const [row] = await db.orm.select().from(steps).where(eq(steps.id, id));
  if (!row) throw new NotFoundError("step", id);
  return toStep(row, (await sessionsOf(db, [id])).get(id) ?? []);
}

export async function isStepOf(db: Database, runId: string, stepId: string): Promise<boolean> {
  const found = await db.orm
    .select({ id: steps.id })
    .from(steps)
    .where(and(eq(steps.id, stepId), eq(steps.runId, runId)));
  return found.length > 0;
}

/** In the order they were made. */
export async function listAttempts(db: Database, stepId: string): Promise<StepAttempt[]> {
  const rows = await db.orm.select().from(stepAttempts).where(eq(stepAttempts.stepId, stepId)).orderBy(asc(stepAttempts.number));
  return rows.map(({ number, status, error, startedAt, completedAt }) => ({
    number,
    status,
    error,
    started_at: isoOrNull(startedAt),
    completed_at: isoOrNull(completedAt),
  }));
}

async function sessionsOf(db: Database, stepIds: string[]): Promise<Map<string, Session[]>> {
  if (stepIds.length === 0) return new Map();
  const rows = await sessionsOfSteps(db).execute({ stepIds });
  const sessions = new Map<string, Session[]>();
  for (const row of rows) {
    if (row.workflowStepId === null) continue;
    const { id, name, agent, status, sessionFilePath, usage } = row;
    const ofStep = sessions.get(row.workflowStepId) ?? [];
    ofStep.push({ id, name, agent, status, session_file_path: sessionFilePath, usage });
    sessions.set(row.workflowStepId, ofStep);
  }
  return sessions;
}

const sessionsOfSteps = prepared((orm) =>
  orm
    .select()
    .from(agentSessions)
    .where(sql`${agentSessions.workflowStepId} = any(${sql.placeholder("stepIds")})`)
    .orderBy(asc(agentSessions.createdAt), asc(agentSessions.id))
    .prepare("sessions_of_steps"),
);

function toBrief(row: Pick<StepRow, "id" | "stepKey" | "stepNumber" | "name" | "phase" | "status" | "superseded">): StepBrief {
  const { id, stepKey, stepNumber, name, phase, status, superseded } = row;
  return { id, step_id: stepKey, step_number: stepNumber, name, phase, status, superseded };
}

function toStep(row: StepRow, sessions: Session[]): Step {
  return {
    ...toBrief(row),
    run_id: row.runId,
    workflow_run_id: row.runId,
    kind: row.kind,
    iteration: row.iteration,
    attempt: row.attemptNumber,
    attempt_number: row.attemptNumber,
    max_attempts: row.maxAttempts,
    input: row.input,
    output: row.output,
    error: row.error,
    error_message: row.error?.message ?? null,
    waiting_for: row.waitingFor,
    log_directory_path: row.logDirectoryPath,
    agent_session_id: row.agentSessionId,
    session: sessions.find((session) => session.id === row.agentSessionId) ?? sessions.at(-1) ?? null,
    sessions,
    usage: sumUsage(sessions.map(({ usage }) => usage)),
    started_at: isoOrNull(row.startedAt),
    completed_at: isoOrNull(row.completedAt),
    duration_ms: duration(row.startedAt, row.completedAt),
    created_at: iso(row.createdAt),
    updated_at: iso(row.updatedAt),
  };
}
