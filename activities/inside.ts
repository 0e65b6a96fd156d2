import { lstat, mkdir, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { StepFailure } from "./failure.js";

/**
 * A folder inside the run's tree, links resolved.
 *
 * @param path relative to the tree, or absolute inside it.
 * @throws {StepFailure} `workspace_missing`, `invalid_path`.
 */
export async function folderInside(root: string, path = "."): Promise<string> {
  const top = await topOf(root);
  checkText(path);
  const wanted = isAbsolute(path) ? path : resolve(top, path);
  const real = await realpath(wanted).catch((error: unknown) => {
    throw new StepFailure("invalid_path", `There is no folder ${path} in the run's tree.`, undefined, { cause: error });
  });
  if (!isWithin(real, top)) throw new StepFailure("invalid_path", `${path} leads out of the run's tree.`);
  return real;
}

/**
 * A place inside the run's tree that is there, links resolved: what may be read. Null when nothing is there.
 *
 * @param path relative to the tree.
 * @throws {StepFailure} `workspace_missing`, `invalid_path`.
 */
export async function existingInside(root: string, path: string): Promise<string | null> {
  const { top, place } = await lexical(root, path);
  const real = await realpath(place).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return null;
    throw new StepFailure("invalid_path", `${path} cannot be followed: ${codeOf(error)}.`, undefined, { cause: error });
  });
  if (real !== null && !isWithin(real, top)) throw new StepFailure("invalid_path", `${path} leads out of the run's tree.`);
  return real;
}

/**
 * A place inside the run's tree that may be written, replaced or removed: its folder with links resolved and its own name as
 * it is, for no link in that place may be followed. Nothing of git's own and of the run's records is such a place.
 *
 * @param make make the folders on the way. @default false
 * @returns null when its folder is not there.
 * @throws {StepFailure} `workspace_missing`, `invalid_path`.
 */
export async function placeInside(root: string, path: string, { make = false } = {}): Promise<string | null> {
  const { top, place } = await lexical(root, path);
  if (place === top) throw new StepFailure("invalid_path", "That is the run's tree itself.");
  const [folder, missing] = await nearestFolder(dirname(place));
  if (!isWithin(folder, top)) throw new StepFailure("invalid_path", `${path} leads out of the run's tree.`);
  const real = join(folder, missing, basename(place));
  const parts = relative(top, real).split(sep);
  if (parts.some(isGitFolder)) throw new StepFailure("invalid_path", `${path} is git's own, and changed by git only.`);
  if (isRecords(parts))
    throw new StepFailure("invalid_path", `${path} belongs to the records of runs, which steps do not change.`);
  if (missing === "") return real;
  if (!make) return null;
  await mkdir(dirname(real), { recursive: true }); // nothing is there, so no link either
  return real;
}

/** Git's folder, by any name a file system may take for it. */
export function isGitFolder(name: string): boolean {
  return /^(\.git|git~1)[ .]*$/i.test(name.replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, ""));
}

async function topOf(root: string): Promise<string> {
  return realpath(root).catch((error: unknown) => {
    throw new StepFailure("workspace_missing", `The run's folder ${root} is not there.`, undefined, { cause: error });
  });
}

async function lexical(root: string, path: string): Promise<{ top: string; place: string }> {
  const top = await topOf(root);
  checkText(path);
  if (path === "") throw new StepFailure("invalid_path", "A path is empty.");
  if (isAbsolute(path)) throw new StepFailure("invalid_path", `${path} is absolute. Paths are relative to the run's tree.`);
  const place = resolve(top, path);
  if (!isWithin(place, top)) throw new StepFailure("invalid_path", `${path} leads out of the run's tree.`);
  return { top, place };
}

/** The folder with links resolved, as far as it is there, and the rest. */
async function nearestFolder(folder: string, rest = ""): Promise<[real: string, missing: string]> {
  try {
    return [await realpath(folder), rest];
  } catch (error) {
    const found = await lstat(folder).catch(() => null);
    if (codeOf(error) !== "ENOENT" || found) {
      throw new StepFailure("invalid_path", `${folder} is no folder.`, undefined, { cause: error });
    }
    return nearestFolder(dirname(folder), join(basename(folder), rest));
  }
}

/** The records themselves, and the folders they lie in. */
function isRecords(parts: readonly string[]): boolean {
  return [".agent", "workflows", "executions"].slice(0, parts.length).every((name, i) => parts[i] === name);
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}

function checkText(path: string): void {
  if (typeof path !== "string" || path.includes("\0"))
    throw new StepFailure("invalid_path", "A path cannot hold a NUL character.");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
