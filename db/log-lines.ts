import { and, asc, count, desc, eq, inArray, lt, lte } from "drizzle-orm";
import type { StepProgress } from "../contract/event.js";
import { LogLevel, type LogLine } from "../contract/log.js";
import type { PageQuery } from "../contract/page.js";
import type { Database } from "./database.js";
import { type Listed, numberOf, sliceOf, toPage } from "./page.js";
import { logChunks, runs } from "./schema.js";
import { iso } from "./time.js";

export interface LogFilter extends PageQuery {
  step_id?: string | undefined;
  /** This level and all above. */
  level?: LogLevel | undefined;
}

/** A run's log, newest first. */
export async function listLogLines(db: Database, runId: string, filter: LogFilter): Promise<Listed<LogLine>> {
  const { limit, offset } = sliceOf(filter);
  const levels = filter.level === undefined ? undefined : LogLevel.options.slice(LogLevel.options.indexOf(filter.level));
  const wanted = and(
    eq(logChunks.runId, runId),
    filter.step_id === undefined ? undefined : eq(logChunks.stepId, filter.step_id),
    levels === undefined ? undefined : inArray(logChunks.level, levels),
  );
  const older = filter.cursor === undefined ? undefined : lt(logChunks.id, numberOf(filter.cursor));
  const rows = await db.orm
    .select()
    .from(logChunks)
    .where(and(wanted, older))
    .orderBy(desc(logChunks.id))
    .limit(limit)
    .offset(offset);
  // What is written between the two questions is not counted: readers tell by the total how many of these are new to them.
  const [newest] = offset === 0 && older === undefined ? rows : [];
  const [all] = await db.orm
    .select({ total: count() })
    .from(logChunks)
    .where(and(wanted, newest && lte(logChunks.id, newest.id)));
  return toPage(filter, { rows, total: all?.total ?? 0, placeOf: (row) => [row.id], toItem: toLine });
}

/** A piece of output as the live stream tells it. */
export interface Progress extends StepProgress {
  at: string;
}

/** The pieces with these ids that belong to a step, in the order they were written. */
export async function progressOf(db: Database, chunkIds: number[]): Promise<Progress[]> {
  const rows = await db.orm
    .select({ chunk: logChunks, projectId: runs.projectId })
    .from(logChunks)
    .innerJoin(runs, eq(runs.id, logChunks.runId))
    .where(inArray(logChunks.id, chunkIds))
    .orderBy(asc(logChunks.id));
  return rows.flatMap(({ chunk, projectId }) =>
    chunk.stepId === null
      ? []
      : {
          execution_id: chunk.runId,
          project_id: projectId,
          step_id: chunk.stepId,
          attempt: chunk.attempt,
          offset: chunk.offset,
          output: chunk.text,
          at: iso(chunk.at),
        },
  );
}

function toLine(row: typeof logChunks.$inferSelect): LogLine {
  const { at, level, stepId, attempt, stream, text } = row;
  return {
    at: iso(at),
    level,
    step_id: stepId,
    attempt: stepId === null ? null : attempt,
    stream,
    text: stream === "log" ? text.replace(/\n$/, "") : text,
  };
}
