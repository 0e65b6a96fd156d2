import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, realpath, rename, rm } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";

const EXECUTIONS = ".agent/workflows/executions";

/** The run's folder, relative to the project. */
export function runFolderPath(runId: string): string {
  return `${EXECUTIONS}/${runId}`;
}

/** The run's folder, absolute. */
export function runFolder(projectPath: string, runId: string): string {
  return join(projectPath, runFolderPath(runId));
}

/** Relative to the project, as all paths in the database. */
export function executionLogPath(runId: string): string {
  return `${runFolderPath(runId)}/logs/execution.log`;
}

/** The folder of a step's logs, relative to the project. */
export function stepLogPath(runId: string, step: { number: number; key: string }): string {
  return `${runFolderPath(runId)}/logs/${stepFolderName(step)}`;
}

/** `007-run-tests`: the number with three digits or more, and the key with nothing in it that a file system minds. */
export function stepFolderName(step: { number: number; key: string }): string {
  const safe = step.key
    .normalize("NFKD")
    .replace(/\p{Mark}+/gu, "")
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .replace(/^[.-]+|[.-]+$/g, "")
    .slice(0, 60);
  return `${String(step.number).padStart(3, "0")}-${safe || "step"}`;
}

/**
 * Write a file of the run folder as a whole: readers see the old one or the new one.
 *
 * @param path relative to the run folder.
 * @throws {Error} when a folder on the way, below the project, is a symbolic link.
 */
export async function writeRunFile(projectPath: string, runId: string, path: string, content: string): Promise<void> {
  await writeWhole(await placeOf(projectPath, runId, path), content);
}

/** Write a file, whose place is known, as a whole. */
export async function writeWhole(file: string, content: string): Promise<void> {
  const temporary = temporaryBeside(file);
  try {
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(content);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Of this process: what another one left unfinished is told apart by it. */
const PROCESS = randomBytes(6).toString("hex");
const UNFINISHED = /^\.([0-9a-f]{12})-[0-9a-f]{12}\.tmp$/;

/** The name under which a file of a run's folder is written before it is there as a whole. */
export function temporaryBeside(file: string): string {
  return join(dirname(file), `.${PROCESS}-${randomBytes(6).toString("hex")}.tmp`);
}

/** Remove what other processes have left half-written in a run's folder. For runs that are over: nobody else writes there. */
export async function removeUnfinished(projectPath: string, runId: string): Promise<void> {
  const entries = await readdir(runFolder(projectPath, runId), { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const [, owner] = UNFINISHED.exec(entry.name) ?? [];
    if (owner !== undefined && owner !== PROCESS && entry.isFile()) await rm(join(entry.parentPath, entry.name), { force: true });
  }
}

/**
 * Append to a file of the run folder. A line that a crash has left without its end gets one first.
 *
 * @param path relative to the run folder.
 * @throws {Error} when the file or a folder on the way is a symbolic link.
 */
export async function appendRunFile(projectPath: string, runId: string, path: string, content: string): Promise<void> {
  const file = await placeOf(projectPath, runId, path);
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const handle = await open(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o666);
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    await handle.appendFile(size > 0 && last[0] !== 10 ? `\n${content}` : content);
  } finally {
    await handle.close();
  }
}

/** Make a file without content, unless it is there. @throws {Error} when it is a symbolic link. */
export async function touchFile(file: string): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  await (await open(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o666)).close();
}

/** The JSON values of a file of lines; one that is no JSON, as a crash leaves it, is left out. */
export function parseLines(text: string): unknown[] {
  return text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/** A file of the run folder, no link followed; null when it is not there. */
export async function readRunFile(projectPath: string, runId: string, path: string): Promise<string | null> {
  try {
    const handle = await open(join(runFolder(projectPath, runId), path), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** Make the folders on the way to a file, refusing to leave the project through a symbolic link. */
export async function placeOf(projectPath: string, runId: string, path: string): Promise<string> {
  const names = `${runFolderPath(runId)}/${path}`.split("/");
  if (names.some((name) => name === "" || name === "." || name === ".." || name.includes(sep))) {
    throw new Error(`${path} is not a path inside a run's folder.`);
  }
  const place = join(resolve(projectPath), ...names);
  await ensureFolders(resolve(projectPath), dirname(place));
  return place;
}

async function ensureFolders(projectPath: string, folder: string): Promise<void> {
  if (folder === projectPath || (await isThere(projectPath, folder))) return;
  await ensureFolders(projectPath, dirname(folder));
  await ensureFolder(folder);
}

/** Whether the folder is there and no part of its path below the project is a link. */
async function isThere(projectPath: string, folder: string): Promise<boolean> {
  try {
    const [project, found] = await Promise.all([realpath(projectPath), realpath(folder)]);
    return found === join(project, relative(projectPath, folder));
  } catch {
    return false;
  }
}

async function ensureFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    const found = await lstat(folder);
    if (!found.isDirectory())
      throw new Error(`${folder} must be a folder, and no link to one, for a run's files to be written there.`);
  }
}
