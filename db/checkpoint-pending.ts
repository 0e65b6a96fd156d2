import { and, asc, eq, sql } from "drizzle-orm";
import { isStepFinished, type StepStatus } from "../contract/step.js";
import type { Database } from "./database.js";
import { runs, steps, workflowVersions } from "./schema.js";

export interface StepSpan {
  key: string;
  status: StepStatus;
  began: Date;
  /** Null while it is open. */
  ended: Date | null;
}

/** What was still to be done in a run, by moment: keys of steps. */
export async function pendingIn(db: Database, runId: string): Promise<(at: Date) => string[]> {
  const rows = await db.orm
    .select({
      key: steps.stepKey,
      status: steps.status,
      startedAt: steps.startedAt,
      createdAt: steps.createdAt,
      completedAt: steps.completedAt,
      updatedAt: steps.updatedAt,
    })
    .from(steps)
    .where(and(eq(steps.runId, runId), eq(steps.superseded, false)))
    .orderBy(asc(steps.stepNumber));
  const spans = rows.map(({ key, status, startedAt, createdAt, completedAt, updatedAt }) => ({
    key,
    status,
    began: startedAt ?? createdAt,
    ended: isStepFinished(status) ? (completedAt ?? updatedAt) : null,
  }));
  const planned = await plannedSteps(db, runId);
  return (at) => pendingAt(planned, spans, at);
}

/**
 * Planned steps of which no doing had ended, in the plan's order, then all others that were under way.
 *
 * @param planned empty for code, which does not say what it will do.
 */
export function pendingAt(planned: readonly string[], spans: readonly StepSpan[], at: Date): string[] {
  const ended = new Set(spans.filter(({ ended }) => ended !== null && ended <= at).map(({ key }) => key));
  const open = spans.filter(({ began, ended }) => began <= at && (ended === null || ended > at)).map(({ key }) => key);
  return [...new Set([...planned.filter((key) => !ended.has(key)), ...open])];
}

async function plannedSteps(db: Database, runId: string): Promise<string[]> {
  const version = sql`${workflowVersions.workflowId} = ${runs.workflowId} and ${workflowVersions.revision} = ${runs.workflowRevision}`;
  const [row] = await db.orm
    .select({ keys: sql<string[] | null>`jsonb_path_query_array(${workflowVersions.program}, '$.plan.steps[*].key')` })
    .from(runs)
    .innerJoin(workflowVersions, version)
    .where(eq(runs.id, runId));
  return row?.keys ?? [];
}
