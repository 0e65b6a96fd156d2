import { randomBytes } from "node:crypto";
import { type FileHandle, link, lstat, mkdir, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { ConflictError } from "../contract/errors.js";

/** Puts things back as they were. */
export type Undo = () => Promise<void>;

/**
 * The text of a definition file; null when it is not there.
 *
 * @param path relative to the project. It and all links on the way lead to no place outside of the project.
 * @throws {ConflictError} `outside`, `not_readable`
 */
export async function readDefinition(root: string, path: string): Promise<string | null> {
  const file = await realpath(join(root, path)).catch(() => null);
  if (file === null) return null;
  await mustBeInside(root, file, path);
  return readFile(file, "utf8").catch((error: unknown) => {
    throw refused(error, `The file ${path} cannot be read`, "not_readable");
  });
}

/**
 * Write a definition file where there is none, whole or not at all. Folders are made.
 *
 * @throws {ConflictError} `path_taken`, `outside`, `not_written`
 */
export async function createDefinition(root: string, path: string, text: string): Promise<Undo> {
  try {
    const folder = await folderFor(root, dirname(path));
    const file = join(folder, basename(path));
    await withWritten(file, { text, mode: 0o644 }, async (part) => {
      await link(part, file).catch(async (error: unknown) => {
        if (codeOf(error) === "EEXIST" || (await isThere(file))) throw taken(path);
        await rename(part, file); // a file system without links
      });
    });
    return () => rm(file, { force: true });
  } catch (error) {
    throw refused(error, `The file ${path} cannot be written`, "not_written");
  }
}

/**
 * Write a definition file anew, whole or not at all; through a link, the file that it leads to.
 *
 * @throws {ConflictError} `outside`, `not_written`
 */
export async function replaceDefinition(root: string, path: string, text: string): Promise<Undo> {
  try {
    const file = await realpath(join(root, path));
    await mustBeInside(root, file, path);
    const { mode } = await stat(file);
    const old = await readFile(file);
    const write = (content: string | Buffer) => withWritten(file, { text: content, mode }, (part) => rename(part, file));
    await write(text);
    return () => write(old);
  } catch (error) {
    throw refused(error, `The file ${path} cannot be written`, "not_written");
  }
}

/** Remove a definition file, if it is there; of a link, the link. */
export async function removeDefinition(root: string, path: string): Promise<Undo> {
  try {
    const file = join(root, path);
    const real = await realpath(file).catch(() => null);
    if (real === null) return async () => {};
    await mustBeInside(root, real, path);
    const text = await readFile(file);
    const { mode } = await stat(file);
    await rm(file);
    await synced(dirname(file));
    return () => withWritten(file, { text, mode }, (part) => rename(part, file));
  } catch (error) {
    throw refused(error, `The file ${path} cannot be removed`, "not_written");
  }
}

/** The folder, made where it is not there, one after the other, none of them through a link that leads out. */
async function folderFor(root: string, path: string): Promise<string> {
  let folder = await realpath(root);
  for (const name of path.split("/")) {
    const next = join(folder, name);
    await mkdir(next).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    folder = await realpath(next);
    await mustBeInside(root, folder, path);
  }
  return folder;
}

async function withWritten(
  file: string,
  { text, mode }: { text: string | Buffer; mode: number },
  place: (part: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(file);
  const part = join(folder, partOf(file));
  try {
    const handle = await open(part, "wx", mode & 0o777);
    await written(handle, text);
    await place(part);
    await synced(folder);
  } finally {
    await rm(part, { force: true });
  }
}

async function written(handle: FileHandle, text: string | Buffer): Promise<void> {
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function synced(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}

/** A name beside the file under which no definition is found. */
function partOf(file: string): string {
  return `.${basename(file)}.${randomBytes(6).toString("hex")}.part`;
}

async function mustBeInside(root: string, real: string, path: string): Promise<void> {
  if (real.startsWith((await realpath(root)) + sep)) return;
  throw new ConflictError(`${path} leads out of the project, by a link. Nothing outside of it is written or read.`, "outside");
}

function isThere(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

function taken(path: string): ConflictError {
  return new ConflictError(
    `There is a file ${path} already. Give the workflow another name, or a "path" of its own.`,
    "path_taken",
  );
}

function refused(error: unknown, what: string, code: string): unknown {
  if (error instanceof ConflictError || codeOf(error) === undefined) return error;
  return new ConflictError(`${what}: ${error instanceof Error ? error.message : error}.`, code);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
