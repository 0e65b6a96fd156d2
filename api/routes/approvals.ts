import { z } from "zod";
import { ApprovalRecord } from "../../contract/approval.js";
import { ConflictError, InvalidError, NotFoundError } from "../../contract/errors.js";
import { Id } from "../../contract/id.js";
import { Json } from "../../contract/json.js";
import { UPDATE } from "../../contract/messages.js";
import { Step } from "../../contract/step.js";
import { UserId } from "../../contract/user.js";
import { type AskedApproval, findApproval, listApprovalRecords } from "../../db/approvals.js";
import { recordAudit } from "../../db/audit.js";
import type { Database } from "../../db/database.js";
import { getRunState } from "../../db/runs.js";
import { getUser } from "../../db/users.js";
import { answeredStep, askRun, checkFields } from "../answer-approval.js";
import type { ApiContext } from "../context.js";
import { anyCase, ById, onePlace, pageFields } from "../fields.js";
import { once } from "../idempotency.js";
import { listed, Many, One, type Route, route } from "../route.js";
import { StepRowId } from "./run-parts.js";

const Reason = z.string().max(10_000);
/** A run, and the id or key of the step that asks. */
const OfStep = z.strictObject({ id: Id, step: z.string().min(1).max(200) });

const Answer = z
  .strictObject({
    answer: anyCase(["approve", "reject"]).optional(),
    approved: z.boolean().optional(),
    reason: Reason.optional(),
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

/** What runs ask people, and what they said. */
export function approvalRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/:id/approvals",
      summary: "List what was said to a run's approvals and to what its agents asked, and who handed an answer to whom",
      params: ById,
      query: z.strictObject({ ...pageFields, step_id: StepRowId.optional() }),
      refine: onePlace,
      answers: { 200: Many(ApprovalRecord) },
      handle: async ({ params, query }) => {
        await getRunState(db, params.id);
        return listed(await listApprovalRecords(db, params.id, query));
      },
    }),
    route({
      method: "post",
      path: "/:id/approvals/:step",
      summary:
        "Answer an approval, or what an agent asks, by its step's id or key; who answers first decides, where it does not take several",
      params: OfStep,
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
          const answered = await askRun(context, id, UPDATE.answer, message);
          const { step, isShown } = await answeredStep(context, answered, asked.request);
          return { status: isShown ? 200 : 202, body: { data: step } };
        });
      },
    }),
    route({
      method: "post",
      path: "/:id/approvals/:step/delegate",
      summary: "Hand one's own answer to an approval that names its approvers to another user",
      params: OfStep,
      body: z.strictObject({ to: UserId, reason: Reason.optional() }),
      aliases: { comment: "reason" },
      answers: { 200: One(Step), 202: One(Step) },
      handle: async ({ params, body: { to, reason }, user }, req) => {
        const { id } = await getRunState(db, params.id);
        const keyed = { userId: user.id, route: `delegate ${id} ${params.step}`, body: { to, reason }, prefix: "req" };
        return once(context, req, keyed, async (choose) => {
          const asked = await findApproval(db, id, params.step);
          await checkUser(db, to);
          const chosen = await choose();
          const message = { id: chosen.id, at: chosen.created_at, by: user.id, step_id: asked.id, to, comment: reason };
          const answered = await askRun(context, id, UPDATE.delegate, message);
          await recordAudit(db, { user_id: user.id, action: "approval.delegate", subject: asked.id, data: { to } });
          const { step, isShown } = await answeredStep(context, answered, asked.request);
          return { status: isShown ? 200 : 202, body: { data: step } };
        });
      },
    }),
  ];
}

function otherRequest({ key, request }: AskedApproval): string {
  return `The step ${key} ${request === undefined ? "asks nothing just now" : `asks something else by now (${request})`}. Look before you answer.`;
}

async function checkUser(db: Database, id: string): Promise<void> {
  await getUser(db, id).catch((error: unknown) => {
    if (!(error instanceof NotFoundError)) throw error;
    const message = `is no user here; \`longhaul users add ${id}\` makes one`;
    throw new InvalidError(`to: ${message}`, [{ path: "to", message }]);
  });
}
