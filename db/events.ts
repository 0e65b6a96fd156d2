import { and, asc, count, desc, eq, gt, lt, sql } from "drizzle-orm";
import { NotFoundError } from "../contract/errors.js";
import { EventType, type RunEvent } from "../contract/event.js";
import type { JsonObject } from "../contract/json.js";
import type { PageQuery } from "../contract/page.js";
import { isFinished, type RunStatus } from "../contract/run.js";
import type { Database } from "./database.js";
import { type Listed, numberOf, sliceOf, toPage } from "./page.js";
import { prepared } from "./prepared.js";
import { events, runs } from "./schema.js";

/**
 * A place in the stream of all events: transaction and row. Ids alone would not do, since a transaction that
 * took its id earlier may commit later.
 */
export interface EventCursor {
  xid: string;
  id: number;
}

/** An event and its place in the stream of all events. */
export interface PlacedEvent {
  event: RunEvent;
  cursor: EventCursor;
}

/** What can be said of a run's stream: its last number, and whether no more is to come. */
export interface StreamEnd {
  seq: number;
  finished: boolean;
}

export async function getStreamEnd(db: Database, runId: string): Promise<StreamEnd> {
  const [row] = await streamEnd(db).execute({ runId });
  if (!row) throw new NotFoundError("run", runId);
  return { seq: row.seq, finished: isFinished(row.status) };
}

const streamEnd = prepared((orm) =>
  orm
    .select({ seq: runs.eventSeq, status: runs.status })
    .from(runs)
    .where(eq(runs.id, sql.placeholder("runId")))
    .prepare("run_stream_end"),
);

/** A place in a run's stream, from which on it is read. */
export interface StreamPlace {
  runId: string;
  after: number;
}

/** Events of a run in their order, and the end of its stream at that same moment. */
export type StreamPiece = StreamEnd & { events: RunEvent[] };

/**
 * The events after each of these places, `limit` at most for each, in one statement: many streams are woken by one
 * transaction. In the order of the places; null where there is no such run.
 */
export async function readStreams(db: Database, places: readonly StreamPlace[], limit: number): Promise<(StreamPiece | null)[]> {
  const ids = places.map(({ runId }) => runId);
  const after = places.map((place) => place.after);
  const { rows } = await db.pool.query<StreamRow>({ name: "run_streams", text: STREAMS, values: [ids, after, limit] });
  const pieces: (StreamPiece | null)[] = places.map(() => null);
  for (const { place, run_id, last, status, seq, type, at, data } of rows) {
    const piece = pieces[place - 1] ?? { seq: last, finished: isFinished(status), events: [] };
    pieces[place - 1] = piece;
    if (seq !== null) piece.events.push(toEvent({ runId: run_id, seq, type, at, data }));
  }
  return pieces;
}

/** An event; a place without any has one row whose event is null. */
type StreamRow = { place: number; run_id: string; last: number; status: RunStatus } & (
  | { seq: number; type: string; at: Date; data: JsonObject }
  | { seq: null; type: null; at: null; data: null }
);

const STREAMS = `
  select asked.place::int, asked.run_id, runs.event_seq as last, runs.status, next.seq, next.type, next.at, next.data
  from unnest($1::text[], $2::bigint[]) with ordinality as asked (run_id, after, place)
  join mirror.runs as runs on runs.id = asked.run_id
  left join lateral (
    select seq, type, at, data from mirror.events as events
    where events.run_id = asked.run_id and events.seq > asked.after
    order by seq
    limit $3
  ) as next on true
  order by asked.place, next.seq`;

/** A run's events after `seq`, newest first. */
export async function listRunEvents(
  db: Database,
  runId: string,
  query: PageQuery & { after?: number },
): Promise<Listed<RunEvent>> {
  const { limit, offset } = sliceOf(query);
  const wanted = and(eq(events.runId, runId), gt(events.seq, query.after ?? 0));
  const older = query.cursor === undefined ? undefined : lt(events.seq, numberOf(query.cursor));
  const rows = await db.orm.select().from(events).where(and(wanted, older)).orderBy(desc(events.seq)).limit(limit).offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(events).where(wanted);
  return toPage(query, { rows, total: all?.total ?? 0, placeOf: (row) => [row.seq], toItem: toEvent });
}

/** Below every transaction that is still open: what is read there stays so, and nothing comes in between later. */
const settled = sql`${events.xid}::xid8 < pg_snapshot_xmin(pg_current_snapshot())`;

function beyond({ xid, id }: EventCursor) {
  return sql`(${events.xid}::xid8, ${events.id}) > (${xid}::xid8, ${id}::bigint)`;
}

/** All runs' settled events after a place, in the order of the stream, `limit` at most. */
export async function allEventsAfter(db: Database, after: EventCursor, limit: number): Promise<PlacedEvent[]> {
  const rows = await db.orm
    .select()
    .from(events)
    .where(and(settled, beyond(after)))
    .orderBy(sql`${events.xid}::xid8`, asc(events.id))
    .limit(limit);
  return rows.map((row) => ({ event: toEvent(row), cursor: { xid: row.xid, id: row.id } }));
}

/** All runs' settled events after a place, newest first. */
export async function listEvents(db: Database, query: PageQuery & { after?: EventCursor }): Promise<Listed<RunEvent>> {
  const { limit, offset } = sliceOf(query);
  const wanted = and(settled, query.after && beyond(query.after));
  const older = query.cursor === undefined ? undefined : lt(events.id, numberOf(query.cursor));
  const rows = await db.orm.select().from(events).where(and(wanted, older)).orderBy(desc(events.id)).limit(limit).offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(events).where(wanted);
  return toPage(query, { rows, total: all?.total ?? 0, placeOf: (row) => [row.id], toItem: toEvent });
}

/** The place behind all events that are settled. */
export async function getEnd(db: Database): Promise<EventCursor> {
  const { rows } = await db.orm.execute<{ xid: string }>(sql`select pg_snapshot_xmin(pg_current_snapshot())::text as xid`);
  return { xid: rows[0]?.xid ?? START.xid, id: 0 };
}

/** Whether there are events that are not settled yet, and so will be told a little later. */
export async function hasUnsettledEvents(db: Database): Promise<boolean> {
  const found = await db.orm
    .select({ id: events.id })
    .from(events)
    .where(sql`${events.xid}::xid8 >= pg_snapshot_xmin(pg_current_snapshot())`)
    .limit(1);
  return found.length > 0;
}

/** Before the first event. */
export const START: EventCursor = { xid: "0", id: 0 };

function toEvent(row: { type: string; runId: string; seq: number; at: Date; data: JsonObject }): RunEvent {
  const { type, runId, seq, at, data } = row;
  return { type: EventType.parse(type), run_id: runId, seq, at: at.toISOString(), data };
}
