import type { Request } from "express";
import { z } from "zod";
import { Artifact } from "../../contract/artifact.js";
import { Comment } from "../../contract/comment.js";
import { Json } from "../../contract/json.js";
import { Step, StepAttempt } from "../../contract/step.js";
import type { StepAction } from "../../contract/step-action.js";
import { lastArtifacts } from "../../db/artifacts.js";
import { lastComments } from "../../db/comments.js";
import { getRunState } from "../../db/runs.js";
import { getStep, listAttempts } from "../../db/steps.js";
import type { User } from "../../db/tokens.js";
import type { ApiContext } from "../context.js";
import { anyCase } from "../fields.js";
import { once } from "../idempotency.js";
import { outputByHand } from "../output-by-hand.js";
import { One, ok, type Route, route } from "../route.js";
import { refuseFinished, takeInHand } from "../step-by-hand.js";
import { readRunText } from "../stored-file.js";

const MOST = 100;
/** Bytes of a log that are shown at once. */
const LOG_LIMIT = 1_048_576;

const FILES = { input: "input.json", output: "output.json", events: "events.jsonl", summary: "summary.md" } as const;
const StepLogType = anyCase(["input", "output", "events", "summary"]);

/** A step's row id: its run's id and its number. */
const StepId = z.string().regex(/^[A-Za-z0-9_-]{1,80}$/, "is not the id of a step");

const WholeStep = Step.extend({ artifacts: z.array(Artifact), comments: z.array(Comment), attempts: z.array(StepAttempt) });
const StepLog = z.object({
  type: z.string(),
  step_id: z.string(),
  content: z.string(),
  attempt: z.int(),
  truncated: z.boolean(),
});

const ByHand = z.strictObject({ reason: z.string().max(10_000).optional() });
const WithOutput = ByHand.extend({ output: Json.optional() });

/** A person's hand on a step that is under way. */
export function stepControlRoutes(context: ApiContext): Route[] {
  return [
    byHand("skip", "Leave a step out; what it does is stopped first. 202 when that takes over 5 s"),
    byHand("retry", "Try a step again at once that waits for its next try, or for an account's limit"),
    byHand("complete", "Complete a step by hand, with what it is to give; what it does is stopped first", WithOutput),
  ];

  function byHand(action: StepAction, summary: string, body: typeof ByHand | typeof WithOutput = ByHand): Route {
    return route({
      method: "post",
      path: `/:id/${action}`,
      summary,
      params: z.strictObject({ id: StepId }),
      body,
      answers: { 200: One(Step), 202: One(Step) },
      handle: async ({ params, body, user }, req) => act(action, params.id, body, user, req),
    });
  }

  async function act(
    action: StepAction,
    stepId: string,
    { reason, output }: z.output<typeof WithOutput>,
    user: User,
    req: Request,
  ) {
    const body = { reason, output };
    return once(context, req, { userId: user.id, route: `${action} ${stepId}`, body, prefix: "req" }, async (choose) => {
      const step = await getStep(context.db, stepId);
      refuseFinished(step);
      const given = action === "complete" ? { output: await outputByHand(context, step, output) } : {};
      const { id, created_at: at } = await choose();
      const message = { id, at, by: user.id, reason, step_id: step.id, action, ...given };
      const taken = await takeInHand(context, step, message);
      return { status: taken.shown ? 200 : 202, body: { data: taken.step } };
    });
  }
}

export function stepRoutes({ db }: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/:id",
      summary: "Get a step with its attempts, artifacts and comments",
      params: z.strictObject({ id: StepId }),
      answers: { 200: One(WholeStep) },
      handle: async ({ params: { id } }) => {
        const step = await getStep(db, id);
        const artifacts = await lastArtifacts(db, { step_id: id }, MOST);
        const comments = await lastComments(db, { step_id: id }, MOST);
        return ok({ ...step, artifacts, comments, attempts: await listAttempts(db, id) });
      },
    }),
    route({
      method: "get",
      path: "/:id/logs/:type",
      summary: "Read a step's input, output, events or summary",
      params: z.strictObject({ id: StepId, type: StepLogType }),
      answers: { 200: One(StepLog) },
      handle: async ({ params: { id, type } }) => {
        const step = await getStep(db, id);
        const run = await getRunState(db, step.run_id);
        const stored =
          step.log_directory_path === null
            ? null
            : await readRunText(run.project_path, run.id, {
                path: `${step.log_directory_path}/${FILES[type]}`,
                limit: LOG_LIMIT,
              });
        const { text, truncated } = stored ?? { text: fromRow(step, type), truncated: false };
        return ok({ type, step_id: id, content: text, attempt: step.attempt, truncated });
      },
    }),
  ];
}

/** What the row itself knows, while the step's file is not written yet or is gone. */
function fromRow(step: Step, type: keyof typeof FILES): string {
  if (type === "input" && step.input !== null) return JSON.stringify(step.input, null, 2);
  if (type === "output" && step.output !== null) return JSON.stringify(step.output, null, 2);
  return "";
}
