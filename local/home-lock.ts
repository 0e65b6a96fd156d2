import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, ownMark, readMark } from "./process-mark.js";

export interface HomeLock {
  release(): void;
}

/**
 * Takes the home for this process by the file `lock` in it, which names the process that has it. A lock whose process is
 * gone, or whose number is another process's by now, does not count.
 *
 * @param home absolute.
 * @throws {Error} with the pid of the process that has it.
 */
export function lockHome(home: string): HomeLock {
  const lock = join(home, "lock");
  const mine = join(home, `lock.${process.pid}.${Date.now()}`);
  writeFileSync(mine, JSON.stringify(ownMark()), { mode: 0o600 });
  try {
    for (let tries = 0; tries < 10; tries++) {
      if (linked(mine, lock)) return { release: () => release(lock) };
      const owner = readMark(lock);
      if (owner && isAlive(owner)) throw new Error(refusal(home, owner.pid));
      putAside(lock, `${mine}.stale`);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  throw new Error(`${lock} cannot be taken.`);
}

/** The pid of the server that runs on this home; `undefined` when none does. */
export function homeOwner(home: string): number | undefined {
  const owner = readMark(join(home, "lock"));
  return owner && isAlive(owner) ? owner.pid : undefined;
}

/** A link comes into being with its content, or not at all because the name is taken. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Of two starts that find the same stale lock, the slower may lift the quicker one's new lock: it puts that back. */
function putAside(lock: string, aside: string): void {
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  const lifted = readMark(aside);
  if (lifted && isAlive(lifted)) linked(aside, lock);
  rmSync(aside, { force: true });
}

function release(lock: string): void {
  try {
    if (readFileSync(lock, "utf8") === JSON.stringify(ownMark())) rmSync(lock);
  } catch {
    // Gone with the folder.
  }
}

function refusal(home: string, pid: number): string {
  return `Longhaul runs on ${home} already (pid ${pid}). Stop it first, or set LONGHAUL_HOME to another folder.`;
}
