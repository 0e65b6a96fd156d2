import { z } from "zod";
import { Artifact } from "./artifact.js";
import { Comment } from "./comment.js";
import { RunWithSteps } from "./run.js";
import { Step } from "./step.js";

/** A run as one GET shows it: with its last steps, comments and artifacts. */
export const WholeRun = RunWithSteps.extend({
  current_step: Step.nullable(),
  comments: z.array(Comment),
  artifacts: z.array(Artifact),
});
export type WholeRun = z.infer<typeof WholeRun>;
