import { realpath, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isGrpcServiceError } from "@temporalio/client";
import { runFolder } from "../db/run-folder.js";
import { executionsOf } from "../db/runs.js";
import type { ApiContext } from "./context.js";
import { git, isRepository } from "./git.js";
import { keptRefs } from "./kept-work.js";
import { temporalDeadline } from "./temporal-away.js";

const NOT_FOUND = 5;

/** Delete what Temporal keeps of a run. */
export async function deleteExecutions({ db, temporal, namespace }: ApiContext, runId: string): Promise<void> {
  // Without a Temporal run id it is the last one, which may not have told anything yet.
  for (const execution of ["", ...(await executionsOf(db, runId))]) {
    try {
      await temporal.withDeadline(temporalDeadline(), () =>
        temporal.workflowService.deleteWorkflowExecution({
          namespace,
          workflowExecution: { workflowId: runId, runId: execution },
        }),
      );
    } catch (error) {
      if (!(isGrpcServiceError(error) && error.code === NOT_FOUND)) throw error;
    }
  }
}

/** Where a run's things lie. */
export interface RunPlace {
  runId: string;
  projectId: string;
  projectPath: string;
}

/** `LONGHAUL_HOME/worktrees/<project>/<run>` */
export function treeOf({ config }: Pick<ApiContext, "config">, { projectId, runId }: Omit<RunPlace, "projectPath">): string {
  return join(config.home, "worktrees", projectId, runId);
}

/**
 * Delete a run's folder, its tree, its agents' folders and its checkpoints' refs: nothing but what lies where a run's things lie.
 *
 * @param options.keepWork what was kept of its code, when its tree went, stays.
 */
export async function deleteFiles(context: ApiContext, place: RunPlace, { keepWork = false } = {}): Promise<void> {
  const { runId, projectPath } = place;
  await removeOwn(projectPath, runFolder(projectPath, runId));
  await deleteTree(context, place);
  await removeOwn(context.config.home, `${treeOf(context, place)}.owner.json`);
  await deleteRefs(projectPath, `refs/longhaul/${runId}/`);
  if (!keepWork) await deleteRefs(projectPath, keptRefs(runId));
}

/** Delete a run's tree and its agents' folders. What says whose the tree was stays: it can be made anew. */
export async function deleteTree(context: ApiContext, place: RunPlace): Promise<void> {
  const { home } = context.config;
  const tree = treeOf(context, place);
  await removeOwn(home, tree);
  await removeOwn(home, join(home, "agents", place.runId));
  if (!(await isRepository(place.projectPath))) return;
  await git(place.projectPath, "worktree", "unlock", tree); // a git that was killed while it made the tree leaves its entry locked
  await git(place.projectPath, "worktree", "prune");
}

/** @param prefix ends with a slash */
export async function deleteRefs(projectPath: string, prefix: string): Promise<void> {
  if (!(await isRepository(projectPath))) return;
  const refs = await git(projectPath, "for-each-ref", "--format=%(refname)", prefix);
  for (const ref of refs?.split("\n").filter(Boolean) ?? []) await git(projectPath, "update-ref", "-d", ref);
}

/** Remove a file or folder below a root, unless a link on the way leads elsewhere. */
export async function removeOwn(root: string, folder: string): Promise<void> {
  const parent = await realpath(dirname(folder)).catch(() => null);
  if (parent === null) return;
  const expected = (await realpath(root)) + dirname(folder).slice(root.length);
  if (parent === expected) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
