import { and, eq, inArray } from "drizzle-orm";
import type { LogChunk } from "../contract/log.js";
import type { Database } from "./database.js";
import { insertLogChunks } from "./log-chunks.js";
import { readStepOutput } from "./rebuild.js";
import { logChunks } from "./schema.js";

export interface MissingOutputQuery {
  runId: string;
  projectPath: string;
  /** Row ids of steps: `<run id>-<step number>`. */
  steps: readonly string[];
  /** ISO time: whoever writes output since then brings it to the database, too. */
  before: string;
}

/**
 * Put into the database what only the folder of a run has of its steps' output, as a worker leaves it that is killed between
 * the two. Done again it does nothing.
 *
 * @returns how many pieces that were.
 */
export async function keepMissingOutput(
  db: Database,
  { runId, projectPath, steps, before }: MissingOutputQuery,
): Promise<number> {
  if (steps.length === 0) return 0;
  const numbers = new Set(steps.map((id) => Number(id.slice(id.lastIndexOf("-") + 1))));
  const output = (await readStepOutput(projectPath, runId, numbers)).filter(({ at }) => at < before);
  if (output.length === 0) return 0;

  const { stepId: step_id, attempt, stream, offset, at } = logChunks;
  const kept = await db.orm
    .select({ step_id, attempt, stream, offset, at })
    .from(logChunks)
    .where(and(eq(logChunks.runId, runId), inArray(logChunks.stepId, [...steps])));
  const known = new Set(kept.map((row) => placeOf({ ...row, at: row.at.toISOString() })));
  const missing = output.filter((chunk) => !known.has(placeOf(chunk)));
  await insertLogChunks(db.orm, missing);
  return missing.length;
}

/** Offsets of an attempt begin anew with a new worker, so they alone do not name a piece. */
function placeOf({ step_id, attempt, stream, offset, at }: Omit<LogChunk, "run_id" | "level" | "text">): string {
  return `${step_id} ${attempt} ${stream} ${offset} ${at}`;
}
