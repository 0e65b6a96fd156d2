import { StepFailure } from "./failure.js";
import type { Git } from "./git-client.js";
import { type LockPatience, withIndex } from "./git-lock.js";
import { checkBranchName, currentBranch, findCommit, headCommit, resolveCommit } from "./git-refs.js";

export interface EnsureBranchInput {
  name: string;
  /** Where a new branch begins: a branch, tag or commit. @default the commit that is checked out */
  from?: string | undefined;
}

/**
 * Have a branch checked out: the one of that name, else the remote's, else a new one. Uncommitted changes come along.
 *
 * @throws {StepFailure} `invalid_ref`; `branch_checked_out`, naming the place; `git_failed` when a change would be lost; `git_locked`.
 */
export async function ensureBranch(
  git: Git,
  { name, from }: EnsureBranchInput,
  patience?: LockPatience,
): Promise<{ branch: string; created: boolean }> {
  await checkBranchName(git, name);
  if ((await currentBranch(git)) === name) return { branch: name, created: false };

  if (await findCommit(git, `refs/heads/${name}`)) {
    const place = await placeOfBranch(git, name);
    if (place) {
      const what = `The branch ${name} is checked out in ${place}.`;
      throw new StepFailure("branch_checked_out", `${what} Switch that one to another branch, or use another name.`);
    }
    await withIndex(git, patience, () => git.run(["switch", "--quiet", "--no-guess", name]));
    return { branch: name, created: false };
  }
  if (from === undefined && !(await headCommit(git))) {
    await git.run(["symbolic-ref", "HEAD", `refs/heads/${name}`]); // before the first commit
    return { branch: name, created: true };
  }
  const remote = from === undefined ? await findCommit(git, `refs/remotes/origin/${name}`) : null;
  const start = remote ?? (await resolveCommit(git, from ?? "HEAD"));
  await withIndex(git, patience, () => git.run(["switch", "--quiet", "--no-track", "--create", name, start]));
  return { branch: name, created: true };
}

/** The folder of the worktree that has a branch checked out; null when none has. */
export async function placeOfBranch(git: Git, name: string): Promise<string | null> {
  const listed = await git.run(["worktree", "list", "--porcelain", "-z"]);
  for (const entry of listed.split("\0\0")) {
    const lines = entry.split("\0");
    if (lines.includes(`branch refs/heads/${name}`)) {
      return lines.find((line) => line.startsWith("worktree "))?.slice("worktree ".length) ?? null;
    }
  }
  return null;
}
