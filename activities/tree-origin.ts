import { forkedBranch } from "../contract/forked-branch.js";
import type { TreeOrigin } from "../contract/run-spec.js";
import type { Git } from "./git-client.js";
import { findCommit } from "./git-refs.js";
import { keepCommit, putTree, readSnapshot, snapshotRef } from "./snapshot.js";

/** The tree that a run begins with, kept as its own. */
export interface Origin {
  /** Names the commit. */
  ref: string;
  /** Holds the whole tree; on top of the commit that was checked out. */
  commit: string;
  /** Null before the first commit. */
  parent: string | null;
  /** To be checked out. */
  branch: string | null;
}

/**
 * Keep what a step of another run has left as a snapshot of this run, in the project's repository.
 *
 * @throws {StepFailure} `invalid_ref` when it is not there any more.
 */
export async function keepOrigin(project: Git, runId: string, from: TreeOrigin): Promise<Origin> {
  // One that works in a clone keeps its snapshots there.
  if (!(await findCommit(project, from.commit))) {
    const theirs = `refs/longhaul/${from.run_id}/*`;
    await project.ask(["fetch", "--quiet", "--no-tags", "--", from.path, `+${theirs}:${theirs}`]);
  }
  const { parent, branch: theirs } = await readSnapshot(project, from.commit);
  const branch = theirs === null ? null : forkedBranch(theirs, runId);
  const tree = await project.run(["rev-parse", `${from.commit}^{tree}`]);
  const commit = await keepCommit(project, { runId, stepNumber: from.step_number, head: parent, branch, tree });
  return { ref: snapshotRef(runId, from.step_number), commit, parent, branch };
}

/** Fill a tree that has the origin's parent checked out. */
export async function beginFrom(git: Git, { ref, commit, parent, branch }: Origin): Promise<void> {
  await git.run(["update-ref", ref, commit]); // a clone has none but the project's branches
  await putTree(git, commit);
  if (branch === null) return;
  const name = `refs/heads/${branch}`;
  if (parent !== null) await git.run(["update-ref", name, parent]);
  await git.run(["symbolic-ref", "HEAD", name]);
}
