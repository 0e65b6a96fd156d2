import { eq, getTableColumns, type SQL, sql } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import type { Connection } from "./database.js";
import type { RunRows } from "./fact-rows.js";
import { insertLogChunks } from "./log-chunks.js";
import { agentSessions, artifacts, audit, checkpoints, comments, runs, stepAttempts, steps, toolCalls } from "./schema.js";

/** Rows in one statement: their parameters must stay below 65,536. */
const PIECE = 1000;

/** Write every changed row, in the order that foreign keys ask for. The run's row must be there. */
export async function writeRows(tx: Connection, rows: RunRows): Promise<void> {
  for (const piece of changedOf(rows, rows.steps)) {
    await tx
      .insert(steps)
      .values(piece)
      .onConflictDoUpdate({ target: steps.id, set: excluded(steps) });
  }
  for (const piece of changedOf(rows, rows.attempts)) {
    await tx
      .insert(stepAttempts)
      .values(piece)
      .onConflictDoUpdate({ target: [stepAttempts.stepId, stepAttempts.number], set: excluded(stepAttempts) });
  }
  for (const piece of changedOf(rows, rows.sessions)) {
    await tx
      .insert(agentSessions)
      .values(piece)
      .onConflictDoUpdate({ target: agentSessions.id, set: excluded(agentSessions) });
  }
  for (const piece of changedOf(rows, rows.toolCalls)) {
    await tx
      .insert(toolCalls)
      .values(piece)
      .onConflictDoUpdate({ target: toolCalls.id, set: excluded(toolCalls) });
  }
  for (const piece of changedOf(rows, rows.comments)) {
    await tx
      .insert(comments)
      .values(piece)
      .onConflictDoUpdate({ target: comments.id, set: excluded(comments) });
  }
  for (const piece of changedOf(rows, rows.artifacts)) {
    await tx
      .insert(artifacts)
      .values(piece)
      .onConflictDoUpdate({ target: artifacts.id, set: excluded(artifacts) });
  }
  for (const piece of changedOf(rows, rows.checkpoints)) {
    await tx
      .insert(checkpoints)
      .values(piece)
      .onConflictDoUpdate({ target: checkpoints.id, set: excluded(checkpoints) });
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

function changedOf<Row extends object>({ changed }: RunRows, table: Map<string, Row>): Row[][] {
  const rows = [...table.values()].filter((row) => changed.has(row));
  return Array.from({ length: Math.ceil(rows.length / PIECE) }, (_, i) => rows.slice(i * PIECE, (i + 1) * PIECE));
}

/** `set` of an upsert: every column takes the value that could not be inserted. */
function excluded(table: PgTable): Record<string, SQL> {
  const columns = Object.entries(getTableColumns(table));
  return Object.fromEntries(columns.map(([key, column]) => [key, sql`excluded.${sql.identifier(column.name)}`]));
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
    insert into mirror.events (run_id, seq, key, type, data, at)
    select ${run.id}, seq, key, type, data, at
    from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as (seq int, key text, type text, data jsonb, at timestamptz)
    order by seq`);
  await tx.execute(sql`select pg_notify('run_event', ${run.id})`);
}
