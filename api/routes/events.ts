import type { Request } from "express";
import { z } from "zod";
import { NotFoundError } from "../../contract/errors.js";
import { RunEvent } from "../../contract/event.js";
import type { Database } from "../../db/database.js";
import {
  allEventsAfter,
  getEnd,
  getStreamEnd,
  hasUnsettledEvents,
  listEvents,
  listRunEvents,
  readStreams,
  START,
  type StreamPiece,
  type StreamPlace,
} from "../../db/events.js";
import type { ApiContext } from "../context.js";
import { askedPlace, LATEST, placeCursor, placeText, seqCursor } from "../cursors.js";
import { ALL_RUNS } from "../event-feed.js";
import { ById, Flag, onePlace, pageFields } from "../fields.js";
import { gather } from "../gather.js";
import { listed, Many, type Route, route } from "../route.js";
import { type EventSource, streamEvents } from "../sse.js";

/** Events of a stream read at once. */
const PIECE = 200;
/** Streams of runs read at once. */
const STREAMS = 50;
/** Milliseconds after which events that were not settled are looked for again. */
const SETTLING = 100;

const EventQuery = z.strictObject({ ...pageFields, after: z.string().max(100).optional(), follow: Flag.default(true) });

/** The events of one run. */
export function runEventRoutes(context: ApiContext): Route[] {
  const { db, feed } = context;
  const readStream = gather<StreamPlace, StreamPiece | null>(STREAMS, (places) => readStreams(db, places, PIECE));
  return [
    route({
      method: "get",
      path: "/:id/events",
      summary: "Follow a run's events (SSE), or list them (`Accept: application/json`)",
      params: ById,
      query: EventQuery,
      refine: onePlace,
      answers: { 200: Many(RunEvent) },
      media: { answer: "text/event-stream" },
      handle: async ({ params: { id }, query }, req, res) => {
        const asked = askedPlace(req, query.after);
        if (wantsList(req)) return listed(await listRunEvents(db, id, { ...query, after: await placeIn(db, id, asked) }));
        // Every stream has a beginning; whether there is such a run at all is seen as it is read.
        const after = asked === null || asked.text === "0" ? 0 : await placeIn(db, id, asked);
        await streamEvents(feed, sourceOf(id, readStream), { req, res, after: String(after), follow: query.follow });
        return null;
      },
    }),
  ];
}

/** The events of all runs. */
export function eventRoutes(context: ApiContext): Route[] {
  const { db, feed } = context;
  return [
    route({
      method: "get",
      path: "/",
      summary: "Follow all runs' events (SSE), or list them (`Accept: application/json`)",
      query: EventQuery,
      refine: onePlace,
      answers: { 200: Many(RunEvent) },
      media: { answer: "text/event-stream" },
      handle: async ({ query }, req, res) => {
        const asked = askedPlace(req, query.after);
        const after = asked === null ? START : asked.text === LATEST ? await getEnd(db) : placeCursor(asked);
        if (wantsList(req)) return listed(await listEvents(db, { ...query, after }));
        await streamEvents(feed, sourceOfAll(context), { req, res, after: placeText(after), follow: query.follow });
        return null;
      },
    }),
  ];
}

/** @throws {NotFoundError} when there is no such run. */
async function placeIn(db: Database, runId: string, asked: { text: string; path: string } | null): Promise<number> {
  const { seq } = await getStreamEnd(db, runId);
  return asked === null ? 0 : seqCursor(asked, seq);
}

function sourceOf(runId: string, readStream: (place: StreamPlace) => Promise<StreamPiece | null>): EventSource {
  return {
    topic: runId,
    async read(after) {
      const piece = await readStream({ runId, after: Number(after) });
      if (!piece) throw new NotFoundError("run", runId);
      const { events, seq, finished } = piece;
      const last = events.at(-1)?.seq ?? Number(after);
      return {
        events: events.map((event) => ({ id: String(event.seq), event })),
        more: events.length === PIECE,
        ended: finished && last >= seq,
      };
    },
  };
}

function sourceOfAll({ db, feed }: ApiContext): EventSource {
  return {
    topic: ALL_RUNS,
    async read(after) {
      const unsettled = await hasUnsettledEvents(db);
      const placed = await allEventsAfter(db, placeCursor({ text: after, path: "after" }), PIECE);
      if (unsettled) feed.wake(ALL_RUNS, SETTLING);
      return {
        events: placed.map(({ event, cursor }) => ({ id: placeText(cursor), event })),
        more: placed.length === PIECE,
        ended: false,
      };
    },
  };
}

/** JSON is asked for by name; whatever else is accepted gets the stream. */
function wantsList(req: Request): boolean {
  return req.accepts(["text/event-stream", "application/json"]) === "application/json";
}
