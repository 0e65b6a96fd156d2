import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { RunRef } from "../contract/activity.js";
import { isKept, type Restore } from "../contract/restore.js";
import { withLock } from "./file-lock.js";
import { type Git, type GitOptions, openGit } from "./git-client.js";
import { freeIndex } from "./git-lock.js";
import { putBranchesBack } from "./restore-branches.js";
import { lastSnapshotNumber, putTree, readSnapshot, type Snapshot } from "./snapshot.js";
import { forgetWorktree, isTree, treesLock } from "./workspace.js";
import { readOwner, type WorkspaceOwner, writeOwner } from "./workspace-owner.js";

export interface RestoreOptions extends GitOptions {
  /** The Temporal run id of who asks. */
  execution: string;
}

/**
 * From now on the tree is that of the run as it is restored: whatever an execution before has still to do in it is refused.
 */
export async function claimTree(run: RunRef, { count }: Pick<Restore, "count">, { execution }: RestoreOptions): Promise<void> {
  const { mode, path } = run.workspace;
  if (mode === "in_place") return;
  const owner = await readOwner(path);
  const unmade: Omit<WorkspaceOwner, "host"> = { run_id: run.run_id, execution, mode, base_commit: null };
  await writeOwner(path, { ...(owner ?? unmade), execution, restored: count });
}

/**
 * Make the run's tree what it was at a checkpoint: HEAD, the run's own branches, files, what was not committed and what git did not know.
 * Files that git ignores stay. Nothing else may be at work in it. Done again it does the same.
 *
 * @returns what people should know of it.
 * @throws {StepFailure} `invalid_ref` when what is to be put back is not there any more; `git_failed`.
 */
export async function restoreTree(run: RunRef, restore: Restore, options: RestoreOptions): Promise<string | undefined> {
  const { mode, path } = run.workspace;
  if (mode === "in_place") return "The run works in the project's own folder: what its steps have left there stays as it is.";
  const project = await openGit(run.project_path, options);
  const folder = await project.ask(["rev-parse", "--path-format=absolute", "--git-common-dir"]);
  if (folder === null) return undefined; // the first step that needs the tree will say so
  return withLock(treesLock(folder), async () => {
    const owner = await readOwner(path);
    if (!owner) return undefined;
    const there = await isTree(path, options);
    const git = there ? await openGit(path, options) : mode === "worktree" ? project : null;
    if (git === null) return undefined; // a clone that is gone had all that it held with it
    const after = owner.from?.restored === restore.count ? owner.from.after : await lastSnapshotNumber(git, run.run_id);
    const from = { commit: restore.tree?.commit ?? null, after, restored: restore.count };
    await writeOwner(path, { ...owner, from });
    const snapshot = restore.tree && (await readSnapshot(git, restore.tree.commit));
    const isBack = await putBranches(git, run, restore, owner, snapshot);
    if (snapshot && there) await fill(git, snapshot, isBack);
    else await remove(project, folder, path);
    if (isBack || !snapshot?.branch) return undefined;
    return `The branch ${snapshot.branch} is not the run's own, or is checked out elsewhere: it stays where it is, and the run's tree has its commit of then checked out, without a branch.`;
  });
}

function putBranches(
  git: Git,
  run: RunRef,
  restore: Restore,
  owner: WorkspaceOwner,
  snapshot: Snapshot | null,
): Promise<boolean> {
  return putBranchesBack(git, {
    runId: run.run_id,
    count: restore.count,
    isKept: (step) => isKept(restore.kept, step),
    since: run.workspace.mode === "clone" ? new Date(0).toISOString() : owner.made_at,
    tree: run.workspace.path,
    target: snapshot?.branch && snapshot.parent ? { branch: snapshot.branch, commit: snapshot.parent } : null,
  });
}

/** Half-done work of git that was ended with what it belonged to. */
const HALF_DONE = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "sequencer", "HEAD.lock"];

async function fill(git: Git, { commit, parent, branch }: Snapshot, isBack: boolean): Promise<void> {
  await freeIndex(git);
  const folder = await git.run(["rev-parse", "--absolute-git-dir"]);
  await Promise.all(HALF_DONE.map((name) => rm(join(folder, name), { recursive: true, force: true })));
  if (parent !== null) await git.run(["update-ref", "--no-deref", "HEAD", parent]);
  if (branch !== null && isBack) await git.run(["symbolic-ref", "HEAD", `refs/heads/${branch}`]);
  await putTree(git, commit);
}

/** The first step that needs the tree makes it anew. */
async function remove(project: Git, folder: string, path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  if (existsSync(join(folder, "worktrees", basename(path)))) await forgetWorktree(project, path);
}
