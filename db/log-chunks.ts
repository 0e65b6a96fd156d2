import { and, asc, eq, gt, inArray, type SQL, sql } from "drizzle-orm";
import { type LogChunk, LogLevel } from "../contract/log.js";
import type { Connection, Database } from "./database.js";
import { logChunks } from "./schema.js";
import { storableText } from "./storable.js";

export type LogChunkRow = typeof logChunks.$inferSelect;

/**
 * Keep pieces of output and tell listeners of each: channel `run_progress`, payload `<run id>:<chunk id>`.
 * Pieces of a run that is not there (not yet, or deleted) are dropped: the run folder has them. Those that are there already stay
 * once when they are written `again`: Postgres may have taken them, and its answer was lost.
 */
export async function appendLogChunks(db: Database, chunks: readonly LogChunk[], { again = false } = {}): Promise<void> {
  if (chunks.length > 0) await insertLogChunks(db.orm, chunks, { again });
}

/** The same inside a transaction: listeners hear of it when that is committed; never, when it is done `quietly`. */
export async function insertLogChunks(
  connection: Connection,
  chunks: readonly LogChunk[],
  { quietly = false, again = false } = {},
): Promise<void> {
  for (let start = 0; start < chunks.length; start += 1000) {
    const records = chunks.slice(start, start + 1000).map((chunk) => ({ ...chunk, text: storableText(chunk.text) }));
    await connection.execute(sql`
      with chunk as (
        insert into mirror.log_chunks (run_id, step_id, attempt, stream, level, "offset", text, at)
        select c.run_id, c.step_id, c.attempt, c.stream, c.level, c."offset", c.text, c.at
        from rows from (
          jsonb_to_recordset(${JSON.stringify(records)}::jsonb)
            as (run_id text, step_id text, attempt int, stream text, level text, "offset" bigint, text text, at timestamptz)
        ) with ordinality as c(run_id, step_id, attempt, stream, level, "offset", text, at, place)
        where exists (select from mirror.runs r where r.id = c.run_id) ${again ? sql`and ${NOT_THERE}` : sql``}
        order by c.place
        returning run_id, id
      )
      select pg_notify('run_progress', run_id || ':' || id) from chunk where not ${quietly}`);
  }
}

const NOT_THERE = sql`not exists (
  select from mirror.log_chunks l
  where l.run_id = c.run_id and l.step_id is not distinct from c.step_id and l.attempt = c.attempt and l.stream = c.stream
    and l."offset" = c."offset" and l.at = c.at and l.text = c.text)`;

export interface LogQuery {
  stepId?: string | undefined;
  attempt?: number | undefined;
  stream?: LogChunk["stream"] | undefined;
  /** This level and all above. */
  level?: LogLevel | undefined;
  /** Only chunks with a greater id. @default 0 */
  after?: number | undefined;
  /** @default 1000 */
  limit?: number | undefined;
}

/** A run's log in the order it was written. The last row's `id` is the `after` of the next page. */
export async function readLogChunks(db: Database, runId: string, query: LogQuery = {}): Promise<LogChunkRow[]> {
  const { after = 0, limit = 1000 } = query;
  return db.orm
    .select()
    .from(logChunks)
    .where(and(...conditions(runId, query), gt(logChunks.id, after)))
    .orderBy(asc(logChunks.id))
    .limit(limit);
}

/** How many chunks there are in all pages. */
export async function countLogChunks(db: Database, runId: string, query: LogQuery = {}): Promise<number> {
  return db.orm.$count(logChunks, and(...conditions(runId, query)));
}

/** One chunk, by the id that a `run_progress` notice carries. */
export async function readLogChunk(db: Database, id: number): Promise<LogChunkRow | null> {
  const [row] = await db.orm.select().from(logChunks).where(eq(logChunks.id, id));
  return row ?? null;
}

/**
 * What a step's attempt wrote, as one text.
 *
 * @param options.limit characters kept, from the end. @default 1_000_000
 */
export async function readStepText(
  db: Database,
  runId: string,
  stepId: string,
  { attempt, limit = 1_000_000 }: { attempt?: number; limit?: number } = {},
): Promise<{ text: string; truncated: boolean }> {
  const where = and(...conditions(runId, { stepId, attempt }));
  // Whole chunks from the end, until there are enough characters.
  const { rows } = await db.orm.execute<{ text: string | null; total: string | null }>(sql`
    select string_agg(text, '' order by id) filter (where before < ${limit}) as text, sum(length(text)) as total
    from (
      select id, text, coalesce(sum(length(text)) over (order by id desc rows between unbounded preceding and 1 preceding), 0) as before
      from ${logChunks} where ${where}
    ) as c`);
  const text = rows[0]?.text ?? "";
  return { text: text.slice(-limit), truncated: Number(rows[0]?.total ?? 0) > limit };
}

function conditions(runId: string, { stepId, attempt, stream, level }: LogQuery): (SQL | undefined)[] {
  const levels = level && LogLevel.options.slice(LogLevel.options.indexOf(level));
  return [
    eq(logChunks.runId, runId),
    stepId === undefined ? undefined : eq(logChunks.stepId, stepId),
    attempt === undefined ? undefined : eq(logChunks.attempt, attempt),
    stream === undefined ? undefined : eq(logChunks.stream, stream),
    levels && inArray(logChunks.level, levels),
  ];
}
