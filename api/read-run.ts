import { z } from "zod";
import { Artifact } from "../contract/artifact.js";
import { Comment } from "../contract/comment.js";
import { type Run, RunWithSteps } from "../contract/run.js";
import { Step } from "../contract/step.js";
import { lastArtifacts } from "../db/artifacts.js";
import { lastComments } from "../db/comments.js";
import { getRun } from "../db/runs.js";
import type { ApiContext } from "./context.js";

/** Comments and artifacts that a run shows of itself; their lists have them all. */
const MOST = 100;

/** A run as one GET shows it. */
export const WholeRun = RunWithSteps.extend({
  current_step: Step.nullable(),
  comments: z.array(Comment),
  artifacts: z.array(Artifact),
});
export type WholeRun = z.infer<typeof WholeRun>;

/** @throws {NotFoundError} */
export async function readRun(context: ApiContext, id: string): Promise<WholeRun> {
  const run = await getRun(context.db, id);
  const { comments: said, artifacts: made } = run._count;
  const comments = said === 0 ? [] : await lastComments(context.db, { run_id: id }, MOST);
  const artifacts = made === 0 ? [] : await lastArtifacts(context.db, { run_id: id }, MOST);
  return { ...withLink(context, run), comments, artifacts };
}

/** A run with the address of its page in Temporal. */
export function withLink<Kind extends Pick<Run, "id" | "temporal">>({ uiUrl, namespace }: ApiContext, run: Kind): Kind {
  if (uiUrl === null) return run;
  const { run_id } = run.temporal;
  const execution = run_id === null ? "" : `/${run_id}/history`;
  const url = `${uiUrl}/namespaces/${encodeURIComponent(namespace)}/workflows/${run.id}${execution}`;
  return { ...run, temporal: { ...run.temporal, url } };
}
