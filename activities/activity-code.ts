import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StepFailure } from "./failure.js";

/** Compiled text of a file's exported `activities` by its sha256; null when nobody has it. */
export type LoadCode = (hash: string) => Promise<string | null>;

/**
 * The file that holds the code with this hash, `<folder>/<hash>.cjs`; made from `load` when it is missing or damaged.
 *
 * @throws {StepFailure} `activity_missing`.
 */
export async function codeFile(folder: string, hash: string, load: LoadCode): Promise<string> {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new StepFailure("activity_missing", "That is not the hash of any code.");
  const file = join(folder, `${hash}.cjs`);
  const kept = await readFile(file, "utf8").catch(() => null);
  if (kept !== null && hashOf(kept) === hash) return file;

  const code = await load(hash);
  if (code === null || hashOf(code) !== hash) {
    throw new StepFailure(
      "activity_missing",
      `The code of this run's own activities (${hash.slice(0, 12)}) is gone from ${folder} and from the database.`,
    );
  }
  await mkdir(folder, { recursive: true });
  const part = `${file}.${randomBytes(4).toString("hex")}`;
  await writeFile(part, code);
  await rename(part, file);
  return file;
}

function hashOf(code: string): string {
  return createHash("sha256").update(code).digest("hex");
}
