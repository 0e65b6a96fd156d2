import { execFile } from "node:child_process";
import type { BigIntStats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What a tree looks like from outside: enough to see that something was written, without reading the files. */
export interface TreeState {
  /** The commit that is checked out; null without git, or before the first commit. */
  head: string | null;
  /** Size, mode and time of every file that is not ignored, by its path. */
  files: Map<string, string>;
}

/** Folders that are never an agent's work, in a tree without git. */
const SKIPPED = new Set([".git", ".agent", "node_modules"]);
const LISTING_BYTES = 256 * 1024 * 1024;

/**
 * Look at a tree. Runs nothing that the repository has configured: no hook, no filter, no file watcher.
 * With git, ignored files do not count.
 */
export async function treeState(cwd: string): Promise<TreeState> {
  const [listed, head] = await Promise.all([
    git(cwd, "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
    git(cwd, "rev-parse", "--verify", "--quiet", "HEAD"),
  ]);
  const paths = listed === null ? await walk(cwd) : listed.split("\0").filter((path) => path !== "");
  const files = new Map<string, string>();
  for (const path of paths) {
    const mark = await markOf(join(cwd, path));
    if (mark !== null) files.set(path, mark);
  }
  return { head: head?.trim() || null, files };
}

/** Paths that were made, changed or removed in between, in order. */
export function changedFiles(before: TreeState, after: TreeState): string[] {
  const paths = new Set([...before.files.keys(), ...after.files.keys()]);
  return [...paths].filter((path) => before.files.get(path) !== after.files.get(path)).toSorted();
}

async function markOf(file: string): Promise<string | null> {
  try {
    const { size, mode, mtimeNs }: BigIntStats = await lstat(file, { bigint: true });
    return `${size} ${mode} ${mtimeNs}`;
  } catch {
    return null; // listed, but deleted
  }
}

async function walk(root: string): Promise<string[]> {
  const found: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (SKIPPED.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else found.push(relative(root, path));
    }
  }
  return found;
}

/** Null where git says no: this is no repository, or has no commit. */
async function git(cwd: string, ...args: string[]): Promise<string | null> {
  const quiet = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false"];
  try {
    const { stdout } = await run("git", [...quiet, ...args], { cwd, maxBuffer: LISTING_BYTES, env: gitEnvironment() });
    return stdout;
  } catch {
    return null;
  }
}

function gitEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C" };
}
