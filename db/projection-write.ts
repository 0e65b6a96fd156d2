import { getTableColumns, type InferSelectModel, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import type { Connection } from "./database.js";
import type { RunRows } from "./fact-rows.js";
import { insertLogChunks } from "./log-chunks.js";
import {
  agentSessions,
  approvalAnswers,
  artifacts,
  audit,
  checkpoints,
  comments,
  runs,
  stepAttempts,
  steps,
  toolCalls,
} from "./schema.js";

/**
 * Write every changed row of these runs, in one statement: foreign keys between its rows are checked at its end. The runs'
 * rows must be there.
 */
export async function writeRows(tx: Connection, all: readonly RunRows[]): Promise<void> {
  const changed = <Row extends object>(tableOf: (rows: RunRows) => Map<string, Row>) =>
    all.flatMap((rows) => [...tableOf(rows).values()].filter((row) => rows.changed.has(row)));
  const upserts = [
    ...upsert(
      steps,
      [steps.id],
      changed(({ steps }) => steps),
    ),
    ...upsert(
      stepAttempts,
      [stepAttempts.stepId, stepAttempts.number],
      changed(({ attempts }) => attempts),
    ),
    ...upsert(
      agentSessions,
      [agentSessions.id],
      changed(({ sessions }) => sessions),
    ),
    ...upsert(
      toolCalls,
      [toolCalls.id],
      changed(({ toolCalls }) => toolCalls),
    ),
    ...upsert(
      approvalAnswers,
      [approvalAnswers.id],
      changed(({ answers }) => answers),
    ),
    ...upsert(
      comments,
      [comments.id],
      changed(({ comments }) => comments),
    ),
    ...upsert(
      artifacts,
      [artifacts.id],
      changed(({ artifacts }) => artifacts),
    ),
    ...upsert(
      checkpoints,
      [checkpoints.id],
      changed(({ checkpoints }) => checkpoints),
    ),
    ...updates(all),
  ];
  if (upserts.length > 0) {
    const parts = upserts.map((part, i) => sql`${sql.raw(`part_${i}`)} as (${part})`);
    await tx.execute(sql`with ${sql.join(parts, sql`, `)} select`);
  }
  await insertLogChunks(
    tx,
    all.flatMap(({ logChunks }) => logChunks),
  );
  const action = "forgery.refused";
  const forgeries = all.flatMap(({ run, forgeries }) =>
    forgeries.map(({ at, what }) => ({ at, action, subject: run.id, data: { what } })),
  );
  if (forgeries.length > 0) await tx.insert(audit).values(forgeries);
}

/** Of the runs only what has changed: a large input is not written with every step. Those with the same changes go together. */
function updates(all: readonly RunRows[]): SQL[] {
  const byChange = new Map<string, { names: string[]; rows: object[] }>();
  const columns = Object.entries(getTableColumns(runs)).map(([key, { name }]): [string, string] => [key, name]);
  for (const { run, stored, changed } of all) {
    if (!changed.has(run)) continue;
    const before = new Map<string, unknown>(Object.entries(stored));
    const now: Record<string, unknown> = run;
    const differing = columns.filter(([key]) => !before.has(key) || before.get(key) !== now[key]);
    if (differing.length === 0) continue;
    const names = differing.map(([, name]) => name);
    const same = byChange.get(names.join()) ?? { names, rows: [] };
    byChange.set(names.join(), same);
    same.rows.push({ id: run.id, ...Object.fromEntries(differing.map(([key, name]) => [name, now[key]])) });
  }
  return [...byChange.values()].map(
    ({ names, rows }) => sql`update ${runs} set ${sql.raw(names.map((name) => `"${name}" = changed."${name}"`).join(", "))}
      from jsonb_populate_recordset(null::${runs}, ${JSON.stringify(rows)}::jsonb) as changed where ${runs.id} = changed.id`,
  );
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

/** Append events whose keys are new in their run, numbered on from the run's last, and tell listeners of `run_event`. */
export async function appendEvents(
  tx: Connection,
  told: readonly { rows: RunRows; events: readonly NewEvent[] }[],
): Promise<void> {
  const asked = told.flatMap(({ rows: { run }, events }) =>
    events.flatMap(({ key, unless }) =>
      [key, ...(unless === undefined ? [] : [unless])].map((one) => ({ run: run.id, key: one })),
    ),
  );
  if (asked.length === 0) return;
  const keys = sql`select * from unnest(${sql.param(asked.map(({ run }) => run))}::text[], ${sql.param(asked.map(({ key }) => key))}::text[])`;
  const { rows: found } = await tx.execute<{ run_id: string; key: string }>(
    sql`select run_id, key from mirror.events where (run_id, key) in (${keys})`,
  );
  const there = new Set(found.map(({ run_id, key }) => `${run_id} ${key}`));
  const records = [];
  for (const { rows, events } of told) {
    const { run } = rows;
    const isThere = (key: string) => there.has(`${run.id} ${key}`);
    for (const { unless, ...event } of events) {
      if (isThere(event.key) || (unless !== undefined && isThere(unless))) continue;
      there.add(`${run.id} ${event.key}`);
      records.push({ ...event, run_id: run.id, seq: ++run.eventSeq });
      rows.changed.add(run);
    }
  }
  if (records.length === 0) return;
  await tx.execute(sql`
    with told as (
      select * from jsonb_to_recordset(${JSON.stringify(records)}::jsonb)
        as (run_id text, seq int, key text, type text, data jsonb, at timestamptz)
    ), appended as (
      insert into mirror.events (run_id, seq, key, type, data, at)
      select run_id, seq, key, type, data, at from told order by run_id, seq
    )
    select pg_notify('run_event', run_id) from (select distinct run_id from told) as runs_of_events`);
}
