import { constants } from "node:fs";
import { chmod, copyFile, cp, lstat, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import type { Call } from "../contract/activity.js";
import { faultPoint } from "../fault.js";
import { StepFailure } from "./failure.js";
import { existingInside, isGitFolder, placeInside } from "./inside.js";
import { look } from "./look.js";
import { storageFailure } from "./storage-failure.js";
import { performOnTree, type TreeDeps } from "./tree-step.js";
import { removeUnfinished, unfinishedBeside } from "./unfinished-file.js";

export type FileEncoding = "utf8" | "base64";

export interface FileInput {
  /** Relative to the run's tree. */
  path: string;
}
export interface WriteInput extends FileInput {
  content: string;
  /** How the content is written down. @default "utf8" */
  encoding?: FileEncoding | undefined;
}
export interface ReadInput extends FileInput {
  /** @default "utf8" */
  encoding?: FileEncoding | undefined;
}
export interface CopyInput {
  from: string;
  to: string;
}
export interface ListInput {
  /** @default the whole tree */
  path?: string | undefined;
  /** The files of all folders below, instead of what is in this one. @default false */
  recursive?: boolean | undefined;
}

/** What one read gives at most, in bytes. */
export const READ_BYTES = 1024 * 1024;
/** What one listing gives at most. */
export const LIST_FILES = 20_000;

/**
 * Write a file as a whole: a reader sees the old one or the new one, also after a crash. Folders on the way are made; a file
 * that is replaced keeps its mode.
 *
 * @throws {StepFailure} `invalid_path`, also for a link; `invalid_input` for content that is no base64; `storage_failed`.
 */
export async function writeFileInside(
  root: string,
  { path, content, encoding = "utf8" }: WriteInput,
): Promise<{ path: string; bytes: number }> {
  const data = decode(content, encoding);
  const file = (await placeInside(root, path, { make: true }))!; // made, so it is there
  const there = await lstat(file).catch(() => null);
  if (there?.isSymbolicLink()) throw new StepFailure("invalid_path", `${path} is a link. Write to the file it names.`);
  if (there && !there.isFile()) throw new StepFailure("invalid_path", `${path} is a folder.`);
  await replaceFile(file, path, async (temporary) => {
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(data);
      if (there) await handle.chmod(there.mode & 0o777);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
  return { path, bytes: data.length };
}

/** @throws {StepFailure} `invalid_path`, `file_missing`, `file_too_large`. */
export async function readFileInside(root: string, { path, encoding = "utf8" }: ReadInput): Promise<string> {
  const file = await existingInside(root, path);
  if (!file) throw new StepFailure("file_missing", `There is no file ${path} in the run's tree.`);
  // No link any more, and no waiting for the other end of a pipe.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new StepFailure("invalid_path", `${path} is no file.`);
    if (found.size > READ_BYTES) {
      const has = `${path} has ${found.size} bytes, and a step reads ${READ_BYTES} at most.`;
      throw new StepFailure("file_too_large", `${has} Take a part of it with a shell step, or keep the file as an artifact.`);
    }
    return (await handle.readFile()).toString(encoding === "base64" ? "base64" : "utf8");
  } finally {
    await handle.close();
  }
}

/** @throws {StepFailure} `invalid_path` for a path outside the tree. */
export async function existsInside(root: string, { path }: FileInput): Promise<boolean> {
  return (await existingInside(root, path)) !== null;
}

/**
 * Remove a file, a folder with all that is in it, or a link (not what it names). What is not there is no error.
 *
 * @throws {StepFailure} `invalid_path`.
 */
export async function deleteInside(root: string, { path }: FileInput): Promise<{ path: string; deleted: boolean }> {
  const file = await placeInside(root, path);
  if (!file || !(await lstat(file).catch(() => null))) return { path, deleted: false };
  await rm(file, { recursive: true, force: true });
  return { path, deleted: true };
}

/**
 * Copy a file, or a folder with all that is in it but git's own; links in it stay links. What is in the way is replaced, in a
 * folder file by file.
 *
 * @throws {StepFailure} `invalid_path`, `file_missing`, `storage_failed`.
 */
export async function copyInside(root: string, { from, to }: CopyInput): Promise<{ from: string; to: string }> {
  const source = await existingInside(root, from);
  if (!source) throw new StepFailure("file_missing", `There is no file ${from} in the run's tree.`);
  const target = (await placeInside(root, to, { make: true }))!; // made, so it is there
  const there = await lstat(target).catch(() => null);
  if (there?.isSymbolicLink()) throw new StepFailure("invalid_path", `${to} is a link. Copy to the place it names.`);
  const found = await lstat(source);
  if (found.isDirectory()) {
    if (target === source || target.startsWith(source + sep)) throw new StepFailure("invalid_path", `${to} lies in ${from}.`);
    if (there && !there.isDirectory()) throw new StepFailure("invalid_path", `${to} is a file.`);
    const filter = (path: string) => path === source || !isGitFolder(basename(path));
    await cp(source, target, { recursive: true, verbatimSymlinks: true, filter }).catch((error: unknown) => fail(error, to));
    return { from, to };
  }
  if (!found.isFile()) throw new StepFailure("invalid_path", `${from} is no file.`);
  if (there?.isDirectory()) throw new StepFailure("invalid_path", `${to} is a folder.`);
  if (source === target) return { from, to };
  await replaceFile(target, to, async (temporary) => {
    await copyFile(source, temporary, constants.COPYFILE_EXCL);
    await chmod(temporary, found.mode & 0o777);
  });
  return { from, to };
}

/**
 * Names in a folder, folders with a `/` at the end; or with `recursive` the paths of all files below it. In order, git's own
 * left out, links not followed.
 *
 * @throws {StepFailure} `invalid_path`, `file_missing`, `file_too_large` for more than 20,000.
 */
export async function listInside(root: string, { path = ".", recursive = false }: ListInput): Promise<string[]> {
  const top = await existingInside(root, path);
  if (!top || !(await lstat(top)).isDirectory())
    throw new StepFailure("file_missing", `There is no folder ${path} in the run's tree.`);
  const found: string[] = [];
  const folders = [top];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (isGitFolder(entry.name)) continue;
      const place = join(folder, entry.name);
      if (entry.isDirectory() && recursive) folders.push(place);
      else found.push(relative(top, place).replaceAll(sep, "/") + (entry.isDirectory() ? "/" : ""));
    }
    if (found.length > LIST_FILES) {
      throw new StepFailure("file_too_large", `There are more than ${LIST_FILES} files below ${path}. List a folder of it.`);
    }
  }
  return found.sort();
}

/** Files of the run's tree. Failures have the types named above. */
export function createFilesActivities(deps: TreeDeps) {
  const change = <Input, Value>(name: string, call: Call<Input>, work: (root: string, input: Input) => Promise<Value>) =>
    performOnTree(deps, name, call, { writes: true }, () => work(call.run.workspace.path, call.input));
  const read = <Input, Value>(call: Call<Input>, work: (root: string, input: Input) => Promise<Value>) =>
    look(deps, call, () => work(call.run.workspace.path, call.input));

  return {
    filesWrite: (call: Call<WriteInput>) => change("writing a file", call, writeFileInside),
    filesDelete: (call: Call<FileInput>) => change("deleting a file", call, deleteInside),
    filesCopy: (call: Call<CopyInput>) => change("copying a file", call, copyInside),
    filesRead: (call: Call<ReadInput>) => read(call, readFileInside),
    filesExists: (call: Call<FileInput>) => read(call, existsInside),
    filesList: (call: Call<ListInput>) => read(call, listInside),
  };
}

function decode(content: string, encoding: FileEncoding): Buffer {
  if (encoding === "utf8") return Buffer.from(content, "utf8");
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(content)) throw new StepFailure("invalid_input", "The content is no base64.");
  return Buffer.from(content, "base64");
}

/** What a crash leaves of it no commit takes: `workspace.ts` has git pass it by. The next write to the folder removes it. */
async function replaceFile(file: string, path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = unfinishedBeside(file);
  try {
    await write(temporary);
    faultPoint("file:written", basename(file));
    await rename(temporary, file);
    await removeUnfinished(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    fail(error, path);
  }
}

function fail(error: unknown, path: string): never {
  throw storageFailure(error, path);
}
