import type { Run } from "../contract/run.js";
import type { WholeRun } from "../contract/whole-run.js";
import { lastArtifacts } from "../db/artifacts.js";
import { lastComments } from "../db/comments.js";
import { getRun } from "../db/runs.js";
import type { ApiContext } from "./context.js";

/** Comments and artifacts that a run shows of itself; their lists have them all. */
const MOST = 100;

/** @throws {NotFoundError} */
export async function readRun(context: ApiContext, id: string, which: { superseded?: boolean } = {}): Promise<WholeRun> {
  const run = await getRun(context.db, id, which);
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
