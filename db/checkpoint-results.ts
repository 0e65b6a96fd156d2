import { and, asc, eq, sql } from "drizzle-orm";
import type { StepResult } from "../contract/checkpoint.js";
import type { Json } from "../contract/json.js";
import type { Database } from "./database.js";
import { stepFolderName } from "./run-folder.js";
import { checkpoints, steps } from "./schema.js";
import { iso } from "./time.js";

/** Results that are longer, in characters of JSON, are named by the file that holds them. */
const RESULT_LIMIT = 4_096;

/** A result with the row of its step. */
export interface KeptResult extends StepResult {
  id: string;
  number: number;
}

/**
 * The results of a run's completed steps, in the order of their numbers.
 *
 * @param by only of steps whose own checkpoints are not later than this one.
 */
export async function resultsOf(
  db: Database,
  runId: string,
  by?: { createdAt: Date; stepNumber: number },
): Promise<KeptResult[]> {
  const size = sql<number>`coalesce(length(${steps.output}::text), 0)`;
  const rows = await db.orm
    .select({
      id: steps.id,
      number: steps.stepNumber,
      key: steps.stepKey,
      size,
      output: sql<Json>`case when length(${steps.output}::text) <= ${RESULT_LIMIT} then ${steps.output} end`,
    })
    .from(steps)
    .where(
      and(
        eq(steps.runId, runId),
        eq(steps.status, "completed"),
        eq(steps.superseded, false),
        by &&
          sql`exists (select from ${checkpoints} own where own.step_id = steps.id and own.created_by = 'automatic'
            and (own.created_at, own.step_number) <= (${iso(by.createdAt)}::timestamptz, ${by.stepNumber}::int))`,
      ),
    )
    .orderBy(asc(steps.stepNumber));
  return rows.map(({ id, number, key, size, output }) => {
    const data = size <= RESULT_LIMIT ? output : { $file: `logs/${stepFolderName({ number, key })}/output.json` };
    return { id, number, stepId: key, status: "completed", data };
  });
}
