import { readdir, readlink, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StepFailure } from "./failure.js";
import type { Git } from "./git-client.js";

/** How long a lock that somebody holds is waited for, and one of nobody is given before it is taken away, in milliseconds. */
export interface LockPatience {
  /** @default 15000 */
  heldMs?: number;
  /** @default 1000 */
  abandonedMs?: number;
}

/**
 * Wait until git's index is free. A lock that a crashed git has left is taken away once no process can be its owner.
 *
 * @throws {StepFailure} `git_locked`, naming the file, when it stays, or its owner cannot be known on this system.
 */
export async function freeIndex(git: Git, { heldMs = 15_000, abandonedMs = 1_000 }: LockPatience = {}): Promise<void> {
  const file = `${await git.run(["rev-parse", "--absolute-git-dir"])}/index.lock`;
  const begun = Date.now();
  let since = begun;
  let found = await identity(file);
  while (found !== null) {
    if (Date.now() - since >= abandonedMs && (await ownerOf(file, git.path)) === "nobody") return rm(file, { force: true });
    if (Date.now() - begun >= heldMs) {
      throw new StepFailure("git_locked", `${file} is held by another git process. If there is none, remove the file.`);
    }
    await sleep(100);
    const next = await identity(file);
    if (next !== found) since = Date.now(); // another one: git is at work here
    found = next;
  }
}

const LOCK_TRIES = 3;

/** Do something that git locks the index for. Another git in the same tree may be at work between two commands of ours: then once more. */
export async function withIndex<T>(git: Git, patience: LockPatience | undefined, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    await freeIndex(git, patience);
    try {
      return await work();
    } catch (error) {
      const locked =
        error instanceof StepFailure && error.type === "git_failed" && /index\.lock.*File exists/s.test(error.message);
      if (!locked || tries >= LOCK_TRIES) throw error;
    }
  }
}

async function identity(file: string): Promise<string | null> {
  try {
    const { ino, mtimeMs } = await stat(file);
    return `${ino} ${mtimeMs}`;
  } catch {
    return null;
  }
}

/** A git that works in this tree or has the lock open is its owner; without `/proc` nobody can tell. */
async function ownerOf(file: string, tree: string): Promise<"somebody" | "nobody" | "unknown"> {
  const pids = await readdir("/proc").catch(() => null);
  if (!pids) return "unknown";
  for (const pid of pids) {
    if (!/^\d+$/.test(pid)) continue;
    const [program, cwd] = await Promise.all([linkOf(`/proc/${pid}/exe`), linkOf(`/proc/${pid}/cwd`)]);
    if (program && /(^|\/)git[^/]*$/.test(program.replace(/ \(deleted\)$/, "")) && cwd && within(cwd, tree)) return "somebody";
    for (const handle of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      if ((await linkOf(join("/proc", pid, "fd", handle))) === file) return "somebody";
    }
  }
  return "nobody";
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function linkOf(path: string): Promise<string | null> {
  return readlink(path).catch(() => null);
}
