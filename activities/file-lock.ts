import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type ProcessOwner, thisProcess } from "./process-owner.js";

const LOOK_MS = 25;
const inLine = new Map<string, Promise<unknown>>();

/**
 * Do something while nobody else does it: no other call in this process and no other process on this host that asks for
 * the same file. What a dead process holds is taken over.
 *
 * @param file made for the time being; its folder is made, too.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const before = inLine.get(file) ?? Promise.resolve();
  const turn = before.then(() => locked(file, work));
  const quiet = turn.catch(() => {});
  inLine.set(file, quiet);
  try {
    return await turn;
  } finally {
    if (inLine.get(file) === quiet) inLine.delete(file);
  }
}

async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  const mine = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(mine, JSON.stringify(thisProcess()));
  try {
    while (!(await take(mine, file))) await sleep(LOOK_MS);
    try {
      return await work();
    } finally {
      await rm(file, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** Whether the lock is ours now. It appears with its content, so that nobody reads half a name. */
async function take(mine: string, file: string): Promise<boolean> {
  try {
    await link(mine, file);
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  if (!(await isAbandoned(file))) return false;
  const aside = `${mine}.old`;
  try {
    await rename(file, aside);
    // Somebody may have been quicker, and this is their new lock: it goes back.
    if (!(await isAbandoned(aside))) await link(aside, file);
  } catch {
    // The other one has it, or has left it.
  } finally {
    await rm(aside, { force: true });
  }
  return false;
}

async function isAbandoned(file: string): Promise<boolean> {
  try {
    return !isAlive(JSON.parse(await readFile(file, "utf8")) as ProcessOwner);
  } catch (error) {
    return error instanceof SyntaxError;
  }
}
