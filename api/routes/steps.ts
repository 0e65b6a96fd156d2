import { z } from "zod";
import { Artifact } from "../../contract/artifact.js";
import { Comment } from "../../contract/comment.js";
import { Step, StepAttempt } from "../../contract/step.js";
import { lastArtifacts } from "../../db/artifacts.js";
import { lastComments } from "../../db/comments.js";
import { getRunState } from "../../db/runs.js";
import { getStep, listAttempts } from "../../db/steps.js";
import type { ApiContext } from "../context.js";
import { anyCase } from "../fields.js";
import { One, ok, type Route, route } from "../route.js";
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
