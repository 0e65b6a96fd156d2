import { existsSync } from "node:fs";
import { appendFile, lstat, mkdir, readFile, realpath, rm } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, sep } from "node:path";
import type { RunRef } from "../contract/activity.js";
import { placeOfBranch } from "./branch.js";
import { StepFailure } from "./failure.js";
import { withLock } from "./file-lock.js";
import { type Git, type GitOptions, openGit } from "./git-client.js";
import { currentBranch, findCommit, headCommit, resolveCommit } from "./git-refs.js";
import { newestSnapshot, putTree, readSnapshot } from "./snapshot.js";
import { sweep } from "./sweep.js";
import { beginFrom, keepOrigin } from "./tree-origin.js";
import { readOwner, type WorkspaceOwner, writeOwner } from "./workspace-owner.js";

/** A run's tree as it is found or made. */
export interface Workspace {
  path: string;
  /** Where the run began; null without git and before a repository's first commit. */
  base_commit: string | null;
  /** Null when a commit is checked out, not a branch. */
  branch: string | null;
  git: boolean;
}

export interface OpenOptions extends GitOptions {
  /** `LONGHAUL_HOME/worktrees`: trees are made and removed below it and nowhere else. */
  root: string;
  /** The Temporal run id of who asks. */
  execution?: string | undefined;
}

/** Ours in a tree: the folders of runs, and what a worker that was killed while it wrote a file has left (`files.ts`). */
const NOT_THE_WORK = [".agent/workflows/executions/", ".longhaul-*.tmp"];
/** A git that is ended half-way does nothing worth waiting for. */
const ENDING_MS = 1_000;

/**
 * Make the run's tree, or find it: asked again it answers the same. A tree that has gone while the run is open is made anew
 * from the newest snapshot, with HEAD, branch and uncommitted changes as they were; what came after that snapshot is lost,
 * but for commits on the run's branch.
 *
 * - `worktree`: a worktree of the project's repository, HEAD detached at the base commit.
 * - `clone`: a repository of its own, with the project's `origin`.
 * - `in_place`: the project's folder itself. Without git there are no snapshots.
 *
 * A run that goes on from another one begins with the tree that a step of that one has left, uncommitted changes included, on a branch of its own.
 * Else the base is `base_branch` (of the project, else of its `origin`), without one the commit the project has checked out.
 * Uncommitted changes of the project are no part of it.
 *
 * @throws {StepFailure} `workspace_missing` when the project's folder is gone; `not_a_repository`; `invalid_ref` when there is no
 *   such base; `invalid_path` when the tree would lie outside the root; `git_failed`.
 */
export async function openWorkspace(run: RunRef, options: OpenOptions): Promise<Workspace> {
  const { mode, path, owner: holder = run.run_id } = run.workspace;
  const project = await openGit(run.project_path, options);
  const folder = await project.ask(["rev-parse", "--path-format=absolute", "--git-common-dir"]);
  if (mode === "in_place") return openInPlace(run, project, folder, options);
  if (folder === null) {
    const why = `${run.project_path} is no git repository, and a ${mode} needs one.`;
    throw new StepFailure("not_a_repository", `${why} Run "git init" and commit there, or run with workspace "in_place".`);
  }
  await excludeOurs(folder);
  await insideRoot(path, options.root);
  return withLock(treesLock(folder), async () => {
    const owner = await readOwner(path);
    if (owner && owner.run_id !== holder) {
      throw new StepFailure("workspace_taken", `The folder ${path} belongs to the run ${owner.run_id}.`);
    }
    if (owner && (await isTree(path, options))) {
      await writeOwner(path, { ...owner, execution: options.execution ?? owner.execution });
      return describe(path, owner.base_commit, options);
    }
    // What lies there is half a tree that nobody finished, or what is left of one.
    const mark = { LONGHAUL_RUN_ID: run.run_id, LONGHAUL_OPERATION: `workspace:${path}` };
    await sweep(mark, ENDING_MS); // a git that has outlived its worker is still at it
    const making = { ...options, marks: { ...options.marks, ...mark } };
    const maker = await openGit(run.project_path, making);
    await rm(path, { recursive: true, force: true });
    if (existsSync(join(folder, "worktrees", basename(path)))) await forgetWorktree(maker, path);
    const { from } = run.workspace;
    const isFirst = !owner || owner.from?.commit === null;
    const origin = from && isFirst ? await keepOrigin(maker, run.run_id, from) : undefined;
    const base = owner?.base_commit ?? origin?.parent ?? (await baseCommit(maker, run));
    const git = mode === "worktree" ? await addWorktree(maker, path, base, making) : await clone(maker, run, base, making);
    const isBack = owner !== null && (await bringBack(git, owner));
    if (origin && !isBack) await beginFrom(git, origin);
    const { restored, from: back, made_at = new Date().toISOString() } = owner ?? {};
    const since = { made_at, ...(restored === undefined ? {} : { restored }), ...(back && { from: back }) };
    await writeOwner(path, { run_id: holder, execution: options.execution ?? null, mode, base_commit: base, ...since });
    return describe(path, base, options);
  });
}

/** Held while trees of a repository are made and set. @param folder the repository's own. */
export function treesLock(folder: string): string {
  return `${folder}/longhaul-worktrees.lock`;
}

async function openInPlace(run: RunRef, project: Git, folder: string | null, options: OpenOptions): Promise<Workspace> {
  if (folder === null) return { path: run.workspace.path, base_commit: null, branch: null, git: false };
  await excludeOurs(folder);
  return describe(run.workspace.path, await headCommit(project), options);
}

async function describe(path: string, base_commit: string | null, options: GitOptions): Promise<Workspace> {
  return { path, base_commit, branch: await currentBranch(await openGit(path, options)), git: true };
}

async function baseCommit(project: Git, run: RunRef): Promise<string> {
  const { base_branch } = run.workspace;
  if (base_branch === null) {
    const head = await headCommit(project);
    if (head) return head;
    const why = `${run.project_path} has no commit yet, so there is nothing to begin from.`;
    throw new StepFailure("not_a_repository", `${why} Commit something there, or run with workspace "in_place".`);
  }
  const remote = await findCommit(project, `refs/remotes/origin/${base_branch}`);
  return (await findCommit(project, `refs/heads/${base_branch}`)) ?? remote ?? (await resolveCommit(project, base_branch));
}

/** Remove the repository's own entry of a tree that is gone; a git that was killed while it made one leaves it locked. */
export async function forgetWorktree(project: Git, path: string): Promise<void> {
  await project.ask(["worktree", "unlock", path]);
  await project.run(["worktree", "prune"]);
}

async function addWorktree(project: Git, path: string, base: string, options: GitOptions): Promise<Git> {
  await mkdir(dirname(path), { recursive: true });
  await project.run(["worktree", "add", "--quiet", "--detach", path, base]);
  return openGit(path, options);
}

async function clone(project: Git, run: RunRef, base: string, options: GitOptions): Promise<Git> {
  const { path } = run.workspace;
  await mkdir(dirname(path), { recursive: true });
  await project.run(["clone", "--quiet", "--local", "--no-checkout", "--", run.project_path, path]);
  const git = await openGit(path, options);
  await excludeOurs(join(path, ".git"));
  const origin = await project.ask(["config", "--get", "remote.origin.url"]);
  if (origin) await git.run(["remote", "set-url", "origin", origin]);
  const repository = await project.ask(["config", "--get", "longhaul.repository"]);
  if (repository) await git.run(["config", "longhaul.repository", repository]);
  await git.run(["checkout", "--quiet", "--detach", base]);
  return git;
}

/** Bring back what the newest snapshot holds, or what the run was restored to since. @returns whether there was something */
async function bringBack(git: Git, { run_id, from }: WorkspaceOwner): Promise<boolean> {
  const newest = await newestSnapshot(git, run_id, from?.after);
  const snapshot = newest ?? (from?.commit ? await readSnapshot(git, from.commit) : null);
  if (!snapshot) return false;
  const { commit, parent, branch } = snapshot;
  const tip = branch === null ? null : await findCommit(git, `refs/heads/${branch}`);
  if (parent) await git.run(["checkout", "--quiet", "--detach", tip ?? parent]);
  // Somebody may have taken the branch up elsewhere meanwhile: then its commit alone, as git allows it once only.
  if (tip && branch !== null && !(await placeOfBranch(git, branch)))
    await git.run(["symbolic-ref", "HEAD", `refs/heads/${branch}`]);
  // A commit made after the snapshot holds more than the snapshot does.
  if (!tip || tip === parent) await putTree(git, commit);
  return true;
}

/** Whether a whole tree of git lies there. */
export async function isTree(path: string, options: GitOptions): Promise<boolean> {
  if (!(await lstat(join(path, ".git")).catch(() => null))) return false;
  const git = await openGit(path, options);
  const top = await git.ask(["rev-parse", "--show-toplevel"]);
  return top !== null && (await realpath(top)) === (await realpath(path));
}

/** @throws {StepFailure} `invalid_path` when a tree at this path would not lie below the root, links resolved. */
async function insideRoot(path: string, root: string): Promise<void> {
  const refuse = () => new StepFailure("invalid_path", `${path} does not lie below ${root}, where trees are made and removed.`);
  if (!isAbsolute(path) || path.split(sep).includes("..") || !path.startsWith(`${root}${sep}`) || basename(path) === "")
    throw refuse();
  await mkdir(root, { recursive: true });
  const top = await realpath(root);
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const real = await realpath(folder).catch(() => null);
    if (real === null) continue; // not there yet
    if (real !== top && !real.startsWith(top + sep)) throw refuse();
    return;
  }
}

async function excludeOurs(gitFolder: string): Promise<void> {
  const file = join(gitFolder, "info", "exclude");
  const text = await readFile(file, "utf8").catch(() => "");
  const missing = NOT_THE_WORK.filter((pattern) => !text.split("\n").includes(pattern));
  if (missing.length === 0) return;
  await mkdir(dirname(file), { recursive: true });
  await appendFile(file, `${text === "" || text.endsWith("\n") ? "" : "\n"}${missing.join("\n")}\n`);
}
