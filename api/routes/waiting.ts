import { z } from "zod";
import { ConflictError } from "../../contract/errors.js";
import { Id } from "../../contract/id.js";
import { Json } from "../../contract/json.js";
import { isFinished } from "../../contract/run.js";
import { Time } from "../../contract/time.js";
import { getRunState } from "../../db/runs.js";
import type { ApiContext } from "../context.js";
import { once } from "../idempotency.js";
import { HttpError } from "../problem.js";
import { One, type Route, route } from "../route.js";
import { EVENT_LIMIT, sendEvent } from "../send-event.js";

/** As a path can hold it. */
const EventName = z.string().regex(/^[A-Za-z0-9._:-]{1,200}$/, "is not the name of an event: letters, digits and . _ : -");

/** Events that runs wait for, given to them. */
export function waitingRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "post",
      path: "/:id/events/:name",
      summary: "Send an event to a run, with any JSON as its payload; it is kept until a step takes it",
      params: z.strictObject({ id: Id, name: EventName }),
      body: Json,
      answers: { 202: One(z.object({ id: Id, run_id: Id, name: z.string(), at: Time })) },
      handle: async ({ params: { id, name }, body, user }, req) => {
        const run = await getRunState(db, id);
        const payload = req.body === undefined || req.body === null ? null : body;
        if (Buffer.byteLength(JSON.stringify(payload)) > EVENT_LIMIT)
          throw new HttpError(413, "too_large", `An event's payload may have ${EVENT_LIMIT} bytes.`);
        const keyed = { userId: user.id, route: `event ${id} ${name}`, body: payload, prefix: "evt" };
        return once(context, req, keyed, async (choose) => {
          if (isFinished(run.status)) throw new ConflictError(`The run is ${run.status}: it takes no event.`, "finished");
          const { id: event, created_at: at } = await choose();
          await sendEvent(context, id, { id: event, at, by: user.id, name, payload });
          return { status: 202, body: { data: { id: event, run_id: id, name, at } } };
        });
      },
    }),
  ];
}
