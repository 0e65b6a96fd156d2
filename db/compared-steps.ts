import { and, asc, eq, inArray, isNotNull, sql } from "drizzle-orm";
import type { ComparedSide } from "../contract/comparison.js";
import type { Json } from "../contract/json.js";
import { sumUsage } from "../contract/usage.js";
import type { Database } from "./database.js";
import { agentSessions, checkpoints, steps } from "./schema.js";
import { duration } from "./time.js";

const MOST_STEPS = 10_000;

export interface StepOfRun {
  key: string;
  iteration: number;
  /** The same for outputs that are equal. */
  output: string;
  side: ComparedSide;
}

/** A run's steps in the order of their numbers, as a comparison wants them. */
export async function comparedSteps(db: Database, runId: string): Promise<StepOfRun[]> {
  const rows = await db.orm
    .select({
      id: steps.id,
      step_number: steps.stepNumber,
      key: steps.stepKey,
      iteration: steps.iteration,
      name: steps.name,
      kind: steps.kind,
      status: steps.status,
      attempt: steps.attemptNumber,
      startedAt: steps.startedAt,
      completedAt: steps.completedAt,
      output: sql<string>`coalesce(md5(${steps.output}::text), '')`,
    })
    .from(steps)
    .where(eq(steps.runId, runId))
    .orderBy(asc(steps.stepNumber))
    .limit(MOST_STEPS);
  const usage = await usageOfSteps(db, runId);
  return rows.map(({ key, iteration, output, startedAt, completedAt, ...side }) => ({
    key,
    iteration,
    output,
    side: { ...side, duration_ms: duration(startedAt, completedAt), usage: sumUsage(usage.get(side.id) ?? []) },
  }));
}

async function usageOfSteps(db: Database, runId: string): Promise<Map<string, (Json | null)[]>> {
  const { workflowStepId, usage } = agentSessions;
  const rows = await db.orm
    .select({ step: workflowStepId, usage })
    .from(agentSessions)
    .where(and(eq(agentSessions.runId, runId), isNotNull(usage)));
  const told = new Map<string, (Json | null)[]>();
  for (const row of rows) if (row.step !== null) told.set(row.step, [...(told.get(row.step) ?? []), row.usage]);
  return told;
}

/** Outputs of steps, by row id. */
export async function outputsOf(db: Database, stepIds: readonly string[]): Promise<Map<string, Json>> {
  if (stepIds.length === 0) return new Map();
  const rows = await db.orm
    .select({ id: steps.id, output: steps.output })
    .from(steps)
    .where(inArray(steps.id, [...stepIds]));
  return new Map(rows.map(({ id, output }) => [id, output ?? null]));
}

/** The commit of the tree that a run has left so far; null without one. */
export async function leftTree(db: Database, runId: string): Promise<string | null> {
  const [row] = await db.orm
    .select({ commit: checkpoints.commitSha })
    .from(checkpoints)
    .where(and(eq(checkpoints.runId, runId), isNotNull(checkpoints.commitSha)))
    .orderBy(sql`${checkpoints.createdAt} desc, ${checkpoints.stepNumber} desc`)
    .limit(1);
  return row?.commit ?? null;
}
