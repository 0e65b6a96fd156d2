import { StepFailure } from "./failure.js";
import type { Git } from "./git-client.js";
import { type LockPatience, withIndex } from "./git-lock.js";
import { headCommit } from "./git-refs.js";
import { NOT_THE_TREE } from "./snapshot.js";

/** The trailer by which a step finds the commit it has made. */
const TRAILER = "Longhaul-Step";
/** How far back a step looks for its commit: no run makes more between two tries of a step. */
const LOOK_BACK = 500;

/** Unicode has given them to nobody; git takes a text that holds one for another encoding, and changes it. */
const NOT_CHARACTERS = /[\p{Noncharacter_Code_Point}\p{Surrogate}]/u;

export interface CommitInput {
  /** Taken as it is, lines that begin with # included. */
  message: string;
  /** Only these files and folders, deleted ones included, relative to the tree. @default everything that changed */
  files?: string[] | undefined;
  /** Commit also when nothing has changed. @default false */
  allowEmpty?: boolean | undefined;
}

/** Which step commits. */
export interface CommitMark {
  /** `<run id>/<step number>` */
  step: string;
  /** The step commits several times: a commit of it counts as found only with the same message, and with nothing left to commit. */
  several?: boolean | undefined;
}

/**
 * Commit, or find the commit that this step has already made: a step that is done again after a lost worker makes no second
 * one. With nothing to commit it answers with HEAD and `created: false`. Hooks do not run and nothing is signed.
 *
 * @throws {StepFailure} `invalid_input`; `nothing_to_commit` before a repository's first commit; `git_locked`; `git_failed`.
 */
export async function commit(
  git: Git,
  { message, files, allowEmpty = false }: CommitInput,
  { step, several = false }: CommitMark,
  patience?: LockPatience,
): Promise<{ sha: string; created: boolean }> {
  if (message.trim() === "") throw new StepFailure("invalid_input", "A commit needs a message.");
  if (message.includes("\0")) throw new StepFailure("invalid_input", "A commit's message cannot hold a NUL character.");
  const odd = NOT_CHARACTERS.exec(message)?.[0].codePointAt(0);
  if (odd !== undefined) {
    const what = `A commit's message cannot hold U+${odd.toString(16).toUpperCase()}, which is no character`;
    throw new StepFailure("invalid_input", `${what}: git would change the text around it.`);
  }
  if (files?.some((file) => file === "")) throw new StepFailure("invalid_input", "A file to commit has an empty path.");

  const marked = withTrailer(message, step);
  const found = await findMarked(git, step, several ? marked : undefined);
  if (found && !several) return { sha: found, created: false };

  return withIndex(git, patience, async () => {
    const some = files && files.length > 0 ? files : undefined;
    if (some) await git.run(["add", "--all", "--verbose", "--", ...some], { literalPaths: true });
    else await git.run(["add", "--all", "--verbose", "--", ":/", NOT_THE_TREE]);

    const staged = ["diff", "--cached", "--no-ext-diff", "--quiet", ...(some ? ["--", ...some] : [])];
    const changed = (await git.ask(staged, { literalPaths: true })) === null;
    const head = await headCommit(git);
    if (!changed && found) return { sha: found, created: false };
    if (!changed && !allowEmpty) {
      if (head) return { sha: head, created: false };
      throw new StepFailure("nothing_to_commit", "There is nothing to commit, and no commit yet.");
    }
    const options = ["--no-verify", "--no-gpg-sign", "--cleanup=verbatim", "--file=-", ...(allowEmpty ? ["--allow-empty"] : [])];
    const only = some ? ["--only", "--", ...some] : [];
    await git.run(["commit", ...options, ...only], { input: marked, literalPaths: true });
    const sha = await headCommit(git);
    if (!sha) throw new StepFailure("git_failed", "git committed, and there is no commit.");
    return { sha, created: true };
  });
}

/** Stage all changes. Answers with every path that is staged now. */
export async function stageAll(git: Git, patience?: LockPatience): Promise<{ files: string[] }> {
  return withIndex(git, patience, async () => {
    await git.run(["add", "--all", "--verbose", "--", ":/", NOT_THE_TREE]);
    const listed = await git.run(["diff", "--cached", "--no-ext-diff", "--no-renames", "--name-only", "-z"]);
    return { files: listed.split("\0").filter((file) => file !== "") };
  });
}

/** The newest commit in HEAD's ancestry that a step has made, with just this message where one is given. */
async function findMarked(git: Git, step: string, message?: string): Promise<string | null> {
  const format = `--format=%H %(trailers:key=${TRAILER},valueonly,separator=%x20)`;
  const listed = await git.ask(["log", `--max-count=${LOOK_BACK}`, "--no-show-signature", format, "HEAD", "--"]);
  for (const line of listed?.split("\n") ?? []) {
    const [sha, ...steps] = line.split(" ");
    if (!sha || !steps.includes(step)) continue;
    if (message === undefined) return sha;
    const body = await git.run(["log", "-1", "--no-show-signature", "--format=%B", sha, "--"]);
    if (body.trimEnd() === message.trimEnd()) return sha;
  }
  return null;
}

/** The trailer joins those that the message has, or stands alone behind it. */
function withTrailer(message: string, step: string): string {
  const text = message.trimEnd();
  const paragraphs = text.split(/\n[ \t]*\n/);
  const last = paragraphs.at(-1) ?? "";
  const isTrailers = paragraphs.length > 1 && last.split("\n").every((line) => /^[A-Za-z0-9-]+: \S/.test(line));
  return `${text}${isTrailers ? "\n" : "\n\n"}${TRAILER}: ${step}\n`;
}
