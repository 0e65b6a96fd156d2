import { eq, getTableColumns, type InferSelectModel, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import type { Connection } from "./database.js";
import type { RunRows } from "./fact-rows.js";
import { insertLogChunks } from "./log-chunks.js";
import { agentSessions, artifacts, audit, checkpoints, comments, runs, stepAttempts, steps, toolCalls } from "./schema.js";

/**
 * Write every changed row, in one statement: foreign keys between its rows are checked at its end. The run's row must be
 * there.
 */
export async function writeRows(tx: Connection, rows: RunRows): Promise<void> {
  const upserts = [
    ...upsert(steps, [steps.id], changedOf(rows, rows.steps)),
    ...upsert(stepAttempts, [stepAttempts.stepId, stepAttempts.number], changedOf(rows, rows.attempts)),
    ...upsert(agentSessions, [agentSessions.id], changedOf(rows, rows.sessions)),
    ...upsert(toolCalls, [toolCalls.id], changedOf(rows, rows.toolCalls)),
    ...upsert(comments, [comments.id], changedOf(rows, rows.comments)),
    ...upsert(artifacts, [artifacts.id], changedOf(rows, rows.artifacts)),
    ...upsert(checkpoints, [checkpoints.id], changedOf(rows, rows.checkpoints)),
  ];
  if (upserts.length > 0) {
    const parts = upserts.map((part, i) => sql`${sql.raw(`part_${i}`)} as (${part})`);
    await tx.execute(sql`with ${sql.join(parts, sql`, `)} select`);
  }
  await insertLogChunks(tx, rows.logChunks);
  if (rows.forgeries.length > 0) {
    const action = "forgery.refused";
    await tx.insert(audit).values(rows.forgeries.map(({ at, what }) => ({ at, action, subject: rows.run.id, data: { what } })));
  }
  if (rows.changed.has(rows.run)) await updateRun(tx, rows);
}

/** Only what has changed: a large input is not written with every step. */
async function updateRun(tx: Connection, { run, stored }: RunRows): Promise<void> {
  const before = new Map<string, unknown>(Object.entries(stored));
  const changed = Object.entries(run).filter(([column, value]) => !before.has(column) || before.get(column) !== value);
  if (changed.length > 0) await tx.update(runs).set(Object.fromEntries(changed)).where(eq(runs.id, run.id));
}

function changedOf<Row extends object>({ changed }: RunRows, table: Map<string, Row>): Row[] {
  return [...table.values()].filter((row) => changed.has(row));
}

/** Insert whole rows, or have them take the place of those with the same key; as many as there are in one parameter. */
function upsert<Table extends PgTable>(table: Table, keys: PgColumn[], rows: readonly InferSelectModel<Table>[]): SQL[] {
  if (rows.length === 0) return [];
  const columns = Object.entries(getTableColumns(table)).map(([key, { name }]): [string, string] => [key, name]);
  const named = rows.map((row: Record<string, unknown>) => Object.fromEntries(columns.map(([key, name]) => [name, row[key]])));
  const list = (items: readonly string[]) => sql.raw(items.join(", "));
  const names = columns.map(([, name]) => `"${name}"`);
  return [
    sql`insert into ${table} (${list(names)})
      select ${list(names)} from jsonb_populate_recordset(null::${table}, ${JSON.stringify(named)}::jsonb)
      on conflict (${list(keys.map(({ name }) => `"${name}"`))})
      do update set ${list(names.map((name) => `${name} = excluded.${name}`))}`,
  ];
}

export interface NewEvent {
  key: string;
  /** Not written when an event of this key is there. */
  unless?: string;
  type: string;
  data: object;
  at: string;
}

/** Append events whose keys are new in the run, numbered on from the run's last, and tell listeners of `run_event`. */
export async function appendEvents(tx: Connection, rows: RunRows, told: readonly NewEvent[]): Promise<void> {
  if (told.length === 0) return;
  const { run } = rows;
  const asked = told.flatMap(({ key, unless }) => (unless === undefined ? [key] : [key, unless]));
  const { rows: found } = await tx.execute<{ key: string }>(
    sql`select key from mirror.events where run_id = ${run.id} and key = any(${sql.param(asked)}::text[])`,
  );
  const there = new Set(found.map(({ key }) => key));
  const records = [];
  for (const { unless, ...event } of told) {
    if (there.has(event.key) || (unless !== undefined && there.has(unless))) continue;
    there.add(event.key);
    records.push({ ...event, seq: ++run.eventSeq });
  }
  if (records.length === 0) return;

  rows.changed.add(run);
  await tx.execute(sql`
    with appended as (
      insert into mirror.events (run_id, seq, key, type, data, at)
      select ${run.id}, seq, key, type, data, at
      from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as (seq int, key text, type text, data jsonb, at timestamptz)
      order by seq
    )
    select pg_notify('run_event', ${run.id})`);
}
