import type { Request } from "express";
import { z } from "zod";
import { RunEvent } from "../../contract/event.js";
import {
  allEventsAfter,
  getStreamEnd,
  hasUnsettledEvents,
  listEvents,
  listRunEvents,
  readStream,
  START,
} from "../../db/events.js";
import type { ApiContext } from "../context.js";
import { askedPlace, placeCursor, placeText, seqCursor } from "../cursors.js";
import { ALL_RUNS } from "../event-feed.js";
import { ById, Flag, onePlace, pageFields } from "../fields.js";
import { listed, Many, type Route, route } from "../route.js";
import { type EventSource, streamEvents } from "../sse.js";

/** Events read at once. */
const PIECE = 200;
/** Milliseconds after which events that were not settled are looked for again. */
const SETTLING = 100;

const EventQuery = z.strictObject({ ...pageFields, after: z.string().max(100).optional(), follow: Flag.default(true) });

/** The events of one run. */
export function runEventRoutes(context: ApiContext): Route[] {
  const { db, feed } = context;
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
        const { seq: last } = await getStreamEnd(db, id);
        const asked = askedPlace(req, query.after);
        const after = asked === null ? 0 : seqCursor(asked, last);
        if (wantsList(req)) return listed(await listRunEvents(db, id, { ...query, after }));
        await streamEvents(feed, sourceOf(context, id), { req, res, after: String(after), follow: query.follow });
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
        const after = asked === null ? START : placeCursor(asked);
        if (wantsList(req)) return listed(await listEvents(db, { ...query, after }));
        await streamEvents(feed, sourceOfAll(context), { req, res, after: placeText(after), follow: query.follow });
        return null;
      },
    }),
  ];
}

function sourceOf({ db }: ApiContext, runId: string): EventSource {
  return {
    topic: runId,
    async read(after) {
      const { events, seq, finished } = await readStream(db, runId, { after: Number(after), limit: PIECE });
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
