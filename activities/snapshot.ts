import { randomBytes } from "node:crypto";
import { copyFile, rm, stat, utimes } from "node:fs/promises";
import type { TreeRef } from "../contract/fact.js";
import { StepFailure } from "./failure.js";
import { withLock } from "./file-lock.js";
import type { Git } from "./git-client.js";
import { currentBranch, headCommit } from "./git-refs.js";

/** The run's own records are no part of its tree. */
export const NOT_THE_TREE = ":(exclude,top).agent/workflows/executions";

const BRANCH_LINE = /^Longhaul-Branch: (.+)$/m;

/** `refs/longhaul/<run>/<step number>` */
export function snapshotRef(runId: string, stepNumber: number): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(runId) || !Number.isInteger(stepNumber) || stepNumber < 0) {
    throw new Error(`There is no snapshot ${runId}/${stepNumber}.`);
  }
  return `refs/longhaul/${runId}/${stepNumber}`;
}

/**
 * Keep the whole tree as it is, untracked files included, ignored ones not, as a commit on top of HEAD that only
 * `refs/longhaul/<run>/<step number>` names. HEAD, branches and the index stay untouched. One at a time per tree. Done again,
 * it replaces the earlier one of the same step. A tree without changes that was kept before gets no new commit.
 *
 * @param shared other steps write to the same tree meanwhile.
 * @returns undefined in a folder without git.
 */
export async function snapshotTree(
  git: Git,
  runId: string,
  stepNumber: number,
  { shared = false }: { shared?: boolean } = {},
): Promise<TreeRef | undefined> {
  const ref = snapshotRef(runId, stepNumber);
  const known = kept.get(git.path);
  // Most steps leave the tree as it was: the name is given while git looks, and given again should it have changed.
  const [state, named] = await Promise.all([treeState(git), known !== undefined && pointTo(git, ref, known.commit)]);
  if (known && named && state?.clean && known.head === state.head && known.branch === state.branch)
    return { commit: known.commit, tree: known.tree, shared };

  if (state?.clean) {
    const [tree, branch] = await Promise.all([git.ask(["rev-parse", `${state.head}^{tree}`]), currentBranch(git)]);
    if (tree !== null) {
      const commit = await keepCommit(git, { runId, stepNumber, head: state.head, branch, tree });
      keep(git.path, { ...state, commit, tree });
      return { commit, tree, shared };
    }
  }

  return withWholeTree(git, async ({ head, branch, tree }) => {
    return { commit: await keepCommit(git, { runId, stepNumber, head, branch, tree }), tree, shared };
  });
}

/** A whole tree as git holds it, and what was checked out. */
export interface WholeTree {
  tree: string;
  head: string | null;
  branch: string | null;
}

/**
 * Write the whole tree as it is, untracked files included, ignored ones not, and do something with it while nobody else does the same.
 * HEAD, branches and the index stay untouched.
 *
 * @param also files that belong to it, ignored or not.
 * @returns undefined in a folder without git.
 */
export async function withWholeTree<T>(
  git: Git,
  use: (whole: WholeTree) => Promise<T>,
  also: readonly string[] = [],
): Promise<T | undefined> {
  const folder = await git.ask(["rev-parse", "--absolute-git-dir"]);
  if (folder === null) return undefined;
  return withLock(`${folder}/longhaul-snapshot.lock`, async () => {
    const index = `${folder}/longhaul-index.${randomBytes(4).toString("hex")}`;
    try {
      const [head, branch] = await Promise.all([headCommit(git), currentBranch(git), copyIndex(`${folder}/index`, index)]);
      await addAll(git, index);
      if (also.length > 0) await git.run(["add", "--force", "--", ...also], { index, literalPaths: true });
      return await use({ tree: await git.run(["write-tree"], { index }), head, branch });
    } finally {
      await Promise.all([rm(index, { force: true }), rm(`${index}.lock`, { force: true })]);
    }
  });
}

export interface ToKeep {
  runId: string;
  stepNumber: number;
  head: string | null;
  branch: string | null;
  tree: string;
}

/** A commit of the tree that the step's ref names. */
export async function keepCommit(git: Git, { runId, stepNumber, head, branch, tree }: ToKeep): Promise<string> {
  const ref = snapshotRef(runId, stepNumber);
  const message = `Step ${stepNumber} of ${runId}\n${branch === null ? "" : `\nLonghaul-Branch: ${branch}\n`}`;
  const parent = head === null ? [] : ["-p", head];
  const commit = await git.run(["commit-tree", ...parent, "-F", "-", tree], { input: message });
  if (!(await pointTo(git, ref, commit))) throw new StepFailure("git_failed", `git could not write ${ref}.`);
  return commit;
}

/** What a tree without changes was when it was last kept: as long as nothing has changed, that is what a step leaves. */
interface Kept extends State {
  commit: string;
  tree: string;
}

interface State {
  /** The commit that is checked out. */
  head: string;
  /** As `git status` says it. */
  branch: string;
  /** There is nothing that HEAD has not. */
  clean: boolean;
}

const MOST_KEPT = 500;
const kept = new Map<string, Kept>();

function keep(path: string, state: Kept): void {
  kept.delete(path);
  kept.set(path, state);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value ?? "");
}

/** Undefined without git, and before the first commit. */
async function treeState(git: Git): Promise<State | undefined> {
  const look = ["--no-optional-locks", "status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=all"];
  const told = await git.ask([...look, "--ignore-submodules=none", "--", ":/", NOT_THE_TREE]);
  const [, head] = /^# branch\.oid ([0-9a-f]{40,64})$/m.exec(told ?? "") ?? [];
  const [, branch] = /^# branch\.head (.+)$/m.exec(told ?? "") ?? [];
  if (told === null || head === undefined || branch === undefined) return undefined;
  return { head, branch, clean: told.split("\n").every((line) => line.startsWith("# ")) };
}

async function pointTo(git: Git, ref: string, commit: string): Promise<boolean> {
  return (await git.ask(["update-ref", "--stdin"], { input: `start\nupdate ${ref} ${commit}\ncommit\n` })) !== null;
}

export interface Snapshot {
  commit: string;
  /** What it stands on. */
  parent: string | null;
  /** That was checked out. */
  branch: string | null;
}

/** The newest snapshot of a run, of those with a higher number than `after`. */
export async function newestSnapshot(git: Git, runId: string, after = -1): Promise<Snapshot | null> {
  const newest = await lastSnapshotNumber(git, runId);
  return newest > after ? readSnapshot(git, snapshotRef(runId, newest)) : null;
}

/** -1 when there is none. */
export async function lastSnapshotNumber(git: Git, runId: string): Promise<number> {
  const prefix = snapshotRef(runId, 0).replace(/0$/, "");
  const listed = await git.run(["for-each-ref", "--format=%(refname)", prefix]);
  const numbers = listed.split("\n").map((name) => Number(name.slice(prefix.length) || Number.NaN));
  return Math.max(-1, ...numbers.filter(Number.isInteger));
}

/** @throws {StepFailure} `invalid_ref` when it is not there. */
export async function readSnapshot(git: Git, ref: string): Promise<Snapshot> {
  const text = await git.ask(["log", "-1", "--no-show-signature", "--format=%H%n%P%n%B", "--end-of-options", ref]);
  const [commit, parent, ...message] = text?.split("\n") ?? [];
  if (!commit) throw new StepFailure("invalid_ref", `There is no snapshot ${ref} in ${git.path}.`);
  return { commit, parent: parent || null, branch: BRANCH_LINE.exec(message.join("\n"))?.[1] ?? null };
}

/**
 * Make the tree what a snapshot holds: its files, and as changes against HEAD what was not committed then. HEAD must be
 * where it was. Files that the snapshot does not know and git does not ignore are removed.
 */
export async function putTree(git: Git, commit: string): Promise<void> {
  await git.run(["read-tree", "--reset", "-u", commit]);
  await git.run(["clean", "--force", "-d", "--quiet", "--", ".", NOT_THE_TREE]);
  if ((await headCommit(git)) !== null) await git.run(["read-tree", "--reset", "HEAD"]);
  await git.ask(["update-index", "-q", "--refresh"]);
}

/** The copy knows which files have not changed since. Its time is the original's, so that git trusts no newer file. */
async function copyIndex(from: string, to: string): Promise<void> {
  try {
    const { atimeMs, mtimeMs } = await stat(from);
    await copyFile(from, to);
    await utimes(to, Math.floor(atimeMs) / 1000, (Math.floor(mtimeMs) - 1) / 1000);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

/** What git cannot hold, such as a repository within that has no commit yet, is left out. */
async function addAll(git: Git, index: string): Promise<void> {
  const add = ["add", "--all"];
  const what = ["--", ":/", NOT_THE_TREE];
  if ((await git.ask([...add, ...what], { index })) === null) await git.ask([...add, "--ignore-errors", ...what], { index });
}
