import { z } from "zod";
import { Comment, CommentType } from "../../contract/comment.js";
import { InvalidError } from "../../contract/errors.js";
import type { CommentRow } from "../../contract/fact.js";
import { newId } from "../../contract/id.js";
import { JsonObject } from "../../contract/json.js";
import { SIGNAL } from "../../contract/messages.js";
import { getComment, listComments } from "../../db/comments.js";
import { getRunState } from "../../db/runs.js";
import { isStepOf } from "../../db/steps.js";
import type { ApiContext } from "../context.js";
import { anyCase, ById, onePlace, pageFields } from "../fields.js";
import { created, listed, Many, One, type Route, route } from "../route.js";
import { tellRun } from "../tell-run.js";
import { StepRowId } from "./run-parts.js";

const NewComment = z.strictObject({
  text: z.string().min(1).max(100_000),
  step_id: StepRowId.nullable().default(null),
  comment_type: anyCase(CommentType.options).default("user"),
  metadata: JsonObject.default({}),
});

/** What is said about a run. */
export function commentRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/:id/comments",
      summary: "List a run's comments",
      params: ById,
      query: z.strictObject({ ...pageFields, step_id: StepRowId.optional() }),
      refine: onePlace,
      answers: { 200: Many(Comment) },
      handle: async ({ params, query }) => {
        await getRunState(db, params.id);
        return listed(await listComments(db, params.id, query));
      },
    }),
    route({
      method: "post",
      path: "/:id/comments",
      summary: "Comment on a run or one of its steps",
      params: ById,
      body: NewComment,
      aliases: { message: "text", workflow_run_step_id: "step_id" },
      answers: { 201: One(Comment) },
      handle: async ({ params, body, user }) => {
        const run = await getRunState(db, params.id);
        await checkStep(context, run.id, body.step_id);
        const at = new Date().toISOString();
        const comment: CommentRow = { id: newId("cmt"), run_id: run.id, created_by: user.id, ...body };
        await tellRun(context, run, {
          signal: SIGNAL.comment,
          message: { at, comment },
          fact: { type: "comment.created", run_id: run.id, at, comment },
        });
        return created(`/api/runs/${run.id}/comments`, await getComment(db, comment.id));
      },
    }),
  ];
}

/** @throws {InvalidError} for a step that is not of this run. */
export async function checkStep({ db }: ApiContext, runId: string, stepId: string | null): Promise<void> {
  if (stepId === null || (await isStepOf(db, runId, stepId))) return;
  const message = "names no step of this run";
  throw new InvalidError(`step_id ${message}.`, [{ path: "step_id", message }]);
}
