import { z } from "zod";
import { ConflictError } from "../../contract/errors.js";
import { Id } from "../../contract/id.js";
import { Json } from "../../contract/json.js";
import { isFinished } from "../../contract/run.js";
import { Step } from "../../contract/step.js";
import { Time } from "../../contract/time.js";
import { type AskedApproval, findApproval } from "../../db/approvals.js";
import { getRunState } from "../../db/runs.js";
import { answeredStep, askToAnswer, checkFields, showsAnswer } from "../answer-approval.js";
import type { ApiContext } from "../context.js";
import { anyCase } from "../fields.js";
import { once } from "../idempotency.js";
import { HttpError } from "../problem.js";
import { One, type Route, route } from "../route.js";
import { EVENT_LIMIT, sendEvent } from "../send-event.js";

/** As a path can hold it. */
const EventName = z.string().regex(/^[A-Za-z0-9._:-]{1,200}$/, "is not the name of an event: letters, digits and . _ : -");

const Answer = z
  .strictObject({
    answer: anyCase(["approve", "reject"]).optional(),
    approved: z.boolean().optional(),
    reason: z.string().max(10_000).optional(),
    fields: Json.optional(),
    request: z.string().max(200).optional(),
  })
  .refine(({ answer, approved }) => answer !== undefined || approved !== undefined, {
    path: ["answer"],
    message: "is needed: approve or reject",
  })
  .refine(({ answer, approved }) => answer === undefined || approved === undefined || (answer === "approve") === approved, {
    path: ["approved"],
    message: "says the opposite of answer",
  });

function otherRequest({ key, request }: AskedApproval): string {
  return `The step ${key} ${request === undefined ? "asks nothing just now" : `asks something else by now (${request})`}. Look before you answer.`;
}

/** What runs wait for, given to them. */
export function waitingRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "post",
      path: "/:id/approvals/:step",
      summary: "Answer an approval, or what an agent asks, by its step's id or key; who answers first decides",
      params: z.strictObject({ id: Id, step: z.string().min(1).max(200) }),
      body: Answer,
      aliases: { decision: "answer", comment: "reason" },
      answers: { 200: One(Step), 202: One(Step) },
      handle: async ({ params, body, user }, req) => {
        const { id } = await getRunState(db, params.id);
        const keyed = { userId: user.id, route: `answer ${id} ${params.step}`, body, prefix: "req" };
        return once(context, req, keyed, async (choose) => {
          const asked = await findApproval(db, id, params.step);
          if (body.request !== undefined && body.request !== asked.request)
            throw new ConflictError(otherRequest(asked), "answered");
          const approved = body.approved ?? body.answer === "approve";
          const fields = approved || body.fields !== undefined ? checkFields(asked, body.fields) : undefined;
          const chosen = await choose();
          const said = { approved, comment: body.reason, fields, request: asked.request };
          const message = { id: chosen.id, at: chosen.created_at, by: user.id, step_id: asked.id, ...said };
          const step = await answeredStep(context, await askToAnswer(context, id, message), asked.request);
          return { status: showsAnswer(step, asked.request) ? 200 : 202, body: { data: step } };
        });
      },
    }),
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
