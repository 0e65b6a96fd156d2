import { execFile } from "node:child_process";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Project } from "../contract/project.js";

const run = promisify(execFile);

/** Milliseconds for one question. */
const PATIENCE = 10_000;

export interface GitRead {
  /** More variables of its environment. */
  env?: Record<string, string>;
  /** Characters that are read at most. @default 1_048_576 */
  limit?: number;
  /** Milliseconds. @default 10_000 */
  patience?: number;
}

/** Ask git about a repository, with nothing in effect that the repository could make it run. */
export async function git(folder: string, ...args: string[]): Promise<string | null> {
  const read = await readGit(folder, args);
  return read === null || read.truncated ? null : read.text.trim();
}

/** The same, with all that git has printed, or its beginning. Null when it says no. */
export async function readGit(
  folder: string,
  args: readonly string[],
  { env = {}, limit = 1_048_576, patience = PATIENCE }: GitRead = {},
): Promise<{ text: string; truncated: boolean } | null> {
  const safe = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never"];
  try {
    const { stdout } = await run("git", ["-C", folder, ...safe, ...args], {
      timeout: patience,
      maxBuffer: limit,
      env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/", GIT_TERMINAL_PROMPT: "0", LC_ALL: "C", ...env },
    });
    return { text: stdout, truncated: false };
  } catch (error) {
    const { code, stdout } = error as { code?: unknown; stdout?: unknown }; // as execFile throws it
    const isCut = code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER" && typeof stdout === "string";
    return isCut ? { text: stdout.slice(0, limit), truncated: true } : null;
  }
}

/** Whether a folder is itself the top of a git repository or of one of its worktrees. */
export async function isRepository(folder: string): Promise<boolean> {
  return lstat(join(folder, ".git")).then(
    () => true,
    () => false,
  );
}

/** Owner, name and default branch by the remote `origin`; null without one that says so. */
export async function readRepo(folder: string): Promise<Project["repo"]> {
  if (!(await isRepository(folder))) return null;
  const origin = repoOfUrl((await git(folder, "config", "--get", "remote.origin.url")) ?? "");
  if (!origin) return null;
  const head = await git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD");
  const branch = head?.replace(/^origin\//, "") ?? (await git(folder, "symbolic-ref", "--short", "HEAD"));
  return { ...origin, default_branch: branch || "main" };
}

/** `https://host/owner/name.git`, `git@host:owner/name`, `ssh://…`, or a path that ends in owner and name. */
export function repoOfUrl(url: string): { owner: string; name: string } | null {
  const [, owner, name] = /([^/:@\s]+)\/([^/:\s]+?)(?:\.git)?\/?$/.exec(url) ?? [];
  return owner && name ? { owner, name } : null;
}
