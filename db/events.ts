import { and, asc, count, desc, eq, gt, lt, sql } from "drizzle-orm";
import { NotFoundError } from "../contract/errors.js";
import { EventType, type RunEvent } from "../contract/event.js";
import type { JsonObject } from "../contract/json.js";
import type { PageQuery } from "../contract/page.js";
import { isFinished } from "../contract/run.js";
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
  const [row] = await db.orm.select({ seq: runs.eventSeq, status: runs.status }).from(runs).where(eq(runs.id, runId));
  if (!row) throw new NotFoundError("run", runId);
  return { seq: row.seq, finished: isFinished(row.status) };
}

/** A run's events after `after`, in their order, `limit` at most, and the end of its stream at that same moment. */
export async function readStream(
  db: Database,
  runId: string,
  { after, limit }: { after: number; limit: number },
): Promise<StreamEnd & { events: RunEvent[] }> {
  const rows = await streamOf(db).execute({ runId, after, limit });
  const [row] = rows;
  if (!row) throw new NotFoundError("run", runId);
  const told = rows.flatMap(({ event }) => (event === null ? [] : toEvent({ ...event, runId })));
  return { seq: row.last, finished: isFinished(row.status), events: told };
}

/** A row an event; one row without event when there is none. */
const streamOf = prepared((orm) => {
  const { seq, type, at, data } = events;
  const wanted = and(eq(events.runId, sql.placeholder("runId")), gt(seq, sql.placeholder("after")));
  const next = orm
    .select({ seq, type, at, data })
    .from(events)
    .where(wanted)
    .orderBy(asc(seq))
    .limit(sql.placeholder("limit"))
    .as("next");
  return orm
    .select({ last: runs.eventSeq, status: runs.status, event: { seq: next.seq, type: next.type, at: next.at, data: next.data } })
    .from(runs)
    .leftJoin(next, sql`true`)
    .where(eq(runs.id, sql.placeholder("runId")))
    .orderBy(asc(next.seq))
    .prepare("run_stream");
});

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
