import { placeOfBranch } from "./branch.js";
import type { Git } from "./git-client.js";
import { currentBranch, findCommit } from "./git-refs.js";
import { isOwnBranch, note } from "./own-branch.js";
import { snapshotRef } from "./snapshot.js";

export interface BranchesBack {
  runId: string;
  /** Of the run's restores, from 1. */
  count: number;
  /** Whether a step stays as it ended. */
  isKept: (step: number) => boolean;
  /** When the run's tree was made. */
  since: string | undefined;
  /** Where the run's tree is. */
  tree: string;
  /** Checked out at the point that the run goes back to. */
  target: { branch: string; commit: string } | null;
}

/**
 * Put the branches that a run has made back to where they were, and remove those that were not there yet. What they pointed to is kept
 * under `refs/longhaul/<run>/superseded/<count>/`. Nobody's branch but the run's own is touched, nor one that is checked out elsewhere.
 *
 * @returns whether the one that is to be checked out is where it was then.
 */
export async function putBranchesBack(git: Git, back: BranchesBack): Promise<boolean> {
  const { target } = back;
  const left = await branchesLeft(git, back.runId);
  const now = await currentBranch(git);
  const names = new Set([...left.map(({ branch }) => branch), ...(now === null ? [] : [now])]);
  if (target) names.delete(target.branch);
  for (const name of names) {
    const kept = left.findLast(({ branch, step }) => branch === name && back.isKept(step));
    await putBack(git, back, name, kept?.commit ?? null);
  }
  return target === null || (await putBack(git, back, target.branch, target.commit));
}

/** @returns whether it is there now. */
async function putBack(git: Git, back: BranchesBack, name: string, commit: string | null): Promise<boolean> {
  const ref = `refs/heads/${name}`;
  const there = await findCommit(git, ref);
  const place = there === null ? null : await placeOfBranch(git, name);
  const isFree = place === null || place === back.tree;
  if (there === commit) return isFree;
  if (!isFree || (there !== null && !(await isOwnBranch(git, back.runId, name, back.since)))) return false;
  if (there !== null) await note(git, `refs/longhaul/${back.runId}/superseded/${back.count}/${name}`, there);
  await git.run(commit === null ? ["update-ref", "-d", ref] : ["update-ref", "--create-reflog", ref, commit]);
  return true;
}

/** What each step has left checked out, in the order of their numbers. */
async function branchesLeft(git: Git, runId: string): Promise<{ step: number; branch: string; commit: string }[]> {
  const prefix = snapshotRef(runId, 0).replace(/0$/, "");
  const format = "%(refname)%00%(parent)%00%(contents:body)%01";
  const listed = await git.run(["for-each-ref", `--format=${format}`, prefix]);
  return listed
    .split("\x01")
    .flatMap((entry) => {
      const [name = "", commit = "", body = ""] = entry.trimStart().split("\0");
      const [, branch] = /^Longhaul-Branch: (.+)$/m.exec(body) ?? [];
      const step = Number(name.slice(prefix.length) || Number.NaN);
      return branch !== undefined && Number.isInteger(step) && commit !== "" ? [{ step, branch, commit }] : [];
    })
    .sort((a, b) => a.step - b.step);
}
