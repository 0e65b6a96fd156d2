import { StepFailure } from "./failure.js";
import type { Git } from "./git-client.js";

/**
 * A branch's name that can be read as nothing else.
 *
 * @throws {StepFailure} `invalid_ref`.
 */
export async function checkBranchName(git: Git, name: string): Promise<string> {
  // Our own rule first, so that nothing reaches git that it could take for an option; git's word after it.
  const accepted = isPlainName(name) ? await git.ask(["check-ref-format", "--branch", name]) : null;
  if (accepted !== name)
    throw new StepFailure("invalid_ref", `${JSON.stringify(name)} is not a name that git takes for a branch.`);
  return name;
}

/**
 * The commit that a branch, tag or commit id stands for.
 *
 * @throws {StepFailure} `invalid_ref` when there is none.
 */
export async function resolveCommit(git: Git, ref: string): Promise<string> {
  const found = isRevision(ref) ? await findCommit(git, ref) : null;
  if (!found) throw new StepFailure("invalid_ref", `There is no commit ${JSON.stringify(ref)} in ${git.path}.`);
  return found;
}

/** The same, or null. Only for refs of our own making. */
export function findCommit(git: Git, ref: string): Promise<string | null> {
  return git.ask(["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`]);
}

/** The commit that is checked out; null before the first one. */
export function headCommit(git: Git): Promise<string | null> {
  return findCommit(git, "HEAD");
}

/** The branch that is checked out; null when HEAD is a commit only. */
export async function currentBranch(git: Git): Promise<string | null> {
  const ref = await git.ask(["symbolic-ref", "--quiet", "HEAD"]);
  return ref?.startsWith("refs/heads/") ? ref.slice("refs/heads/".length) : null;
}

/** A name, `HEAD`, or what git allows behind one, `~2` and `^`: no option, no range, no search. */
function isRevision(ref: string): boolean {
  return ref === "HEAD" || isPlainName(ref.replace(/([~^]\d{0,5})+$/, ""));
}

/** Nothing that git could take for an option, a range, an expression or several words. It has more rules of its own. */
function isPlainName(name: string): boolean {
  if (name === "" || name === "@" || name === "HEAD" || name.length > 200 || name.startsWith("-")) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{/.test(name);
}
