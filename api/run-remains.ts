import { realpath, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isGrpcServiceError } from "@temporalio/client";
import { runFolder } from "../db/run-folder.js";
import { executionsOf } from "../db/runs.js";
import type { ApiContext } from "./context.js";
import { git, isRepository } from "./git.js";
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

/** Delete a run's folder, its tree, its agents' folders and its checkpoints' refs: nothing but what lies where a run's things lie. */
export async function deleteFiles(
  { config }: ApiContext,
  { runId, projectId, projectPath }: { runId: string; projectId: string; projectPath: string },
): Promise<void> {
  await removeOwn(projectPath, runFolder(projectPath, runId));
  const tree = join(config.home, "worktrees", projectId, runId);
  await removeOwn(config.home, tree);
  await removeOwn(config.home, `${tree}.owner.json`);
  await removeOwn(config.home, join(config.home, "agents", runId));
  if (!(await isRepository(projectPath))) return;
  await git(projectPath, "worktree", "unlock", tree); // a git that was killed while it made the tree leaves its entry locked
  await git(projectPath, "worktree", "prune");
  const refs = await git(projectPath, "for-each-ref", "--format=%(refname)", `refs/longhaul/${runId}/`);
  for (const ref of refs?.split("\n").filter(Boolean) ?? []) await git(projectPath, "update-ref", "-d", ref);
}

/** Remove a folder below a root, unless a link on the way leads elsewhere. */
async function removeOwn(root: string, folder: string): Promise<void> {
  const parent = await realpath(dirname(folder)).catch(() => null);
  if (parent === null) return;
  const expected = (await realpath(root)) + dirname(folder).slice(root.length);
  if (parent === expected) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
