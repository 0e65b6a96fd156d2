import { StepFailure } from "./failure.js";
import type { Git } from "./git-client.js";
import { checkBranchName, currentBranch, findCommit } from "./git-refs.js";
import { remoteProgram } from "./git-settings.js";
import { note, pushedRef } from "./own-branch.js";
import { parseRemote } from "./remote.js";

export interface PushInput {
  /** The name of one of the project's remotes. @default "origin", or the only one there is */
  remote?: string | undefined;
  /** @default the branch that is checked out */
  branch?: string | undefined;
}

/** A run's pushes, as far as it has to know of them. */
export interface Pushing {
  runId: string;
  /** It was taken back: what it has pushed before may be replaced. */
  isRestored: boolean;
}

/**
 * Push a branch under its own name, unless the remote has it already. No hook of the tree runs. Never by force, with one exception: what
 * a restored run has pushed itself, and nobody has added to, is replaced.
 *
 * @throws {StepFailure} `no_branch`; `no_remote`; `invalid_remote`; `invalid_ref`; `push_rejected` when the remote's branch has
 *   commits that this one has not; `git_failed`.
 */
export async function push(git: Git, input: PushInput, run?: Pushing): Promise<{ remote: string; branch: string; sha: string }> {
  const wanted = input.branch ?? (await currentBranch(git));
  if (wanted === null)
    throw new StepFailure("no_branch", "No branch is checked out. Make one first, or name the branch to push.");
  const branch = await checkBranchName(git, wanted);
  const sha = await findCommit(git, `refs/heads/${branch}`);
  if (!sha) throw new StepFailure("invalid_ref", `There is no branch ${branch} to push.`);
  const remote = await chooseRemote(git, input.remote);

  const there = await git.run(["ls-remote", "--refs", "--", remote, `refs/heads/${branch}`]);
  const [remotes = ""] = there.split(/\s/);
  if (remotes === sha) return done();
  const pushed = run?.isRestored ? await findCommit(git, pushedRef(run.runId, remote, branch)) : null;
  const lease = pushed !== null && pushed === remotes ? [`--force-with-lease=refs/heads/${branch}:${pushed}`] : [];

  const refspec = `refs/heads/${branch}:refs/heads/${branch}`;
  try {
    await git.run(["push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", ...lease, "--", remote, refspec]);
  } catch (error) {
    if (error instanceof StepFailure && /\[rejected\]|non-fast-forward|fetch first/.test(error.message)) {
      const what = `${remote} has commits on ${branch} that this branch does not have, so it refused the push.`;
      throw new StepFailure("push_rejected", `${what} Fetch and merge them, or push another branch.`, undefined, {
        cause: error,
      });
    }
    throw error;
  }
  return done();

  async function done() {
    const commit = sha as string; // looked up above
    if (run) await note(git, pushedRef(run.runId, remote, branch), commit);
    return { remote, branch, sha: commit };
  }
}

/**
 * A remote of the repository that git may talk to.
 *
 * @throws {StepFailure} `no_remote`, `invalid_remote`.
 */
export async function chooseRemote(git: Git, wanted?: string): Promise<string> {
  const names = (await git.run(["remote"])).split("\n").filter((name) => name !== "");
  const remote = wanted ?? (names.includes("origin") || names.length !== 1 ? "origin" : names[0]!);
  if (!names.includes(remote) || remote.startsWith("-")) {
    const others = names.length > 0 ? ` It has ${names.join(", ")}.` : "";
    throw new StepFailure("no_remote", `The repository has no remote called ${JSON.stringify(remote)}.${others}`);
  }
  const program = remoteProgram(git.names, remote);
  if (program)
    throw new StepFailure("invalid_remote", `The repository sets ${program}, which runs a program. Remove that setting.`);
  for (const way of [[], ["--push"]]) {
    for (const url of (await git.run(["remote", "get-url", ...way, "--all", remote])).split("\n")) parseRemote(url);
  }
  return remote;
}
