import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { StepFailure } from "../failure.js";
import type { Git } from "../git-client.js";
import { freeIndex } from "../git-lock.js";
import { withWholeTree } from "../snapshot.js";
import { type KeptTree, keepTree } from "./turn-start.js";

/** What was ignored by a rule of the agent's own shows when that rule has gone, and goes in a further pass. */
const PASSES = 3;

export interface PutBackOptions {
  /** Names what was there, for whoever wants it. */
  ref: string;
  message: string;
  /** Paths that were there before and that git does not list any more. Those an agent has made git ignore are kept, too. */
  unlisted: readonly string[];
}

/**
 * Put the tree back to what was kept of it: tracked and untracked files, branch and HEAD. What is removed or replaced is kept before as a
 * commit under the ref, on top of the commits that were made. Ignored files stay, and so do other branches. What was
 * staged is a change that is not staged.
 *
 * @returns whether the tree is as it was.
 * @throws {StepFailure} `not_a_repository`, `git_locked`, `git_failed`.
 */
export async function putBack(git: Git, before: KeptTree, { ref, message, unlisted }: PutBackOptions): Promise<boolean> {
  await freeIndex(git);
  const also = unlisted.filter((path) => isReally(git.path, path));
  let now = await keepTree(git, ref, { message, also });
  if (now) await putHead(git, before, now);
  for (let pass = 1; now && pass <= PASSES; pass++) {
    await git.run(["read-tree", "--reset", now.commit]); // so that nothing is removed but what is kept
    await git.ask(["update-index", "-q", "--refresh"]);
    await git.run(["read-tree", "--reset", "-u", before.commit]);
    await git.run(["read-tree", ...(before.head === null ? ["--empty"] : ["--reset", before.head])]);
    await git.ask(["update-index", "-q", "--refresh"]);
    if ((await withWholeTree(git, async ({ tree }) => tree)) === before.tree) return true;
    now = await keepTree(git, ref, { message, parents: [now.commit] });
  }
  if (!now) throw new StepFailure("not_a_repository", `${git.path} is no git repository any more.`);
  return false;
}

/** The branch and the commit that were checked out; commits made since are taken off the branch. */
async function putHead(git: Git, before: KeptTree, now: KeptTree): Promise<void> {
  const { branch, head } = before;
  if (now.branch === branch && now.head === head) return;
  if (branch !== null) await git.run(["symbolic-ref", "HEAD", `refs/heads/${branch}`]);
  else await git.run(["update-ref", "--no-deref", "HEAD", head ?? ""]);
  if (branch === null) return;
  const name = `refs/heads/${branch}`;
  if (head !== null) await git.run(["update-ref", name, head]);
  else await git.ask(["update-ref", "-d", name]);
}

/** It is there, and not behind a link that now stands in the place of one of its folders. */
function isReally(root: string, path: string): boolean {
  try {
    realpathSync(join(root, path));
    return realpathSync(dirname(join(root, path))) === join(realpathSync(root), dirname(path));
  } catch {
    return false;
  }
}
