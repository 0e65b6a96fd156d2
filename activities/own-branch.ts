import type { Git } from "./git-client.js";
import { findCommit } from "./git-refs.js";

/** Where a run has begun a branch: the branch is its own. */
export function begunRef(runId: string, branch: string): string {
  return `refs/longhaul/${runId}/began/${branch}`;
}

/** What a run has pushed last to a remote's branch. */
export function pushedRef(runId: string, remote: string, branch: string): string {
  return `refs/longhaul/${runId}/pushed/${remote}/${branch}`;
}

/** Note a commit under one of a run's refs, so that it stays; not where another name is in the way, as `a` is of `a/b`. */
export async function note(git: Git, ref: string, commit: string): Promise<void> {
  await git.ask(["update-ref", ref, commit]);
}

/**
 * Whether a branch is one that the run has made, by a step of git or otherwise: its record begins after the tree was made. One whose
 * beginning is not known is somebody's.
 *
 * @param since when the run's tree was made.
 */
export async function isOwnBranch(git: Git, runId: string, branch: string, since: string | undefined): Promise<boolean> {
  if (await findCommit(git, begunRef(runId, branch))) return true;
  if (since === undefined) return false;
  const record = await git.ask(["reflog", "show", "--date=unix", "--format=%gd", `refs/heads/${branch}`, "--"]);
  const [, begun] = /@\{(\d+)\}$/.exec(record?.split("\n").at(-1) ?? "") ?? [];
  return begun !== undefined && Number(begun) >= Math.floor(Date.parse(since) / 1000);
}

/** Where the run began a branch that it has pushed since, when the remote's is what it has pushed: that is the run's own doing, and no beginning. */
export async function beginningOf(git: Git, runId: string, branch: string): Promise<string | undefined> {
  const [begun, pushed, remote] = await Promise.all([
    findCommit(git, begunRef(runId, branch)),
    findCommit(git, pushedRef(runId, "origin", branch)),
    findCommit(git, `refs/remotes/origin/${branch}`),
  ]);
  return begun !== null && remote !== null && remote === pushed ? begun : undefined;
}
