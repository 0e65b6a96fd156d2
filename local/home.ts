import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type HomeLock, lockHome } from "./home-lock.js";

export interface Home {
  /** Absolute, without symbolic links. */
  path: string;
  /** Lets the next start in. */
  close(): void;
}

/** Folders that hold what only this user may see. */
const CLOSED = ["keys", "logs"];

/**
 * Makes the folder everything is kept in, checks that it can be used, and takes it for this process.
 *
 * @throws {Error} naming LONGHAUL_HOME when it cannot be written or run programs from, or the pid of the server that has it.
 */
export function openHome(wanted: string): Home {
  const path = makeHome(wanted);
  const lock: HomeLock = lockHome(path);
  try {
    for (const name of CLOSED) mkdirSync(join(path, name), { recursive: true, mode: 0o700 });
  } catch (error) {
    lock.release();
    throw error;
  }
  return { path, close: () => lock.release() };
}

/**
 * The token that clients of the API must show: the one that is set, else one made once and kept in `token`.
 *
 * @param home absolute.
 * @param setting value of LONGHAUL_TOKEN.
 */
export function accessToken(home: string, setting?: string): string {
  if (setting !== undefined) return setting;
  const file = join(home, "token");
  if (existsSync(file)) {
    chmodSync(file, 0o600);
    const kept = readFileSync(file, "utf8").trim();
    if (kept.length >= 16) return kept;
  }
  const token = randomBytes(32).toString("base64url");
  writeFileSync(`${file}.new`, `${token}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return token;
}

function makeHome(wanted: string): string {
  const path = resolve(wanted);
  const refuse = (why: string, cause?: unknown) =>
    new Error(`LONGHAUL_HOME is ${path}, ${why}. Set LONGHAUL_HOME to a folder on a local disk that you can write to.`, {
      cause,
    });
  try {
    makeFolder(path);
    if (statSync(path).uid === process.getuid?.()) chmodSync(path, 0o700);
    probe(path);
  } catch (error) {
    throw refuse(`which cannot be written (${error instanceof Error ? error.message : error})`, error);
  }
  if (!runsPrograms(path)) throw refuse("from which no program can be run (is it mounted with noexec?)");
  return realpathSync(path);
}

/** One by one: where a file system makes no folders at all (/proc), Node's recursive way tries for ever. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function probe(folder: string): void {
  const file = join(folder, `.probe-${process.pid}`);
  writeFileSync(file, "");
  rmSync(file);
}

/** The servers' programs may be kept here. */
function runsPrograms(folder: string): boolean {
  const file = join(folder, `.probe-${process.pid}`);
  writeFileSync(file, "#!/bin/sh\nexit 0\n", { mode: 0o700 });
  try {
    return spawnSync(file, { stdio: "ignore" }).status === 0;
  } finally {
    rmSync(file, { force: true });
  }
}
