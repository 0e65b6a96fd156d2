import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import type { WorkspaceMode } from "../contract/run-spec.js";

/** Whose a tree is, in a file beside it: it is there once the tree is whole. */
export interface WorkspaceOwner {
  run_id: string;
  /** The Temporal run id that last opened it; null when that is not known. */
  execution: string | null;
  mode: WorkspaceMode;
  base_commit: string | null;
  host: string;
  /** When it was made. */
  made_at?: string;
  /** How often its run was restored. @default 0 */
  restored?: number;
  /** What it is made from when it is gone, and no snapshot with a higher number than `after` is there: this commit, or null: as at its beginning. */
  from?: { commit: string | null; after: number; restored: number };
}

/** `<tree>.owner.json` */
export function ownerFile(path: string): string {
  return `${path}.owner.json`;
}

/** Null when nobody has finished making the tree. */
export async function readOwner(path: string): Promise<WorkspaceOwner | null> {
  try {
    const owner: unknown = JSON.parse(await readFile(ownerFile(path), "utf8"));
    return isOwner(owner) ? owner : null;
  } catch {
    return null;
  }
}

export async function writeOwner(path: string, owner: Omit<WorkspaceOwner, "host">): Promise<void> {
  const file = ownerFile(path);
  const temporary = `${file}.${randomBytes(4).toString("hex")}`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(temporary, `${JSON.stringify({ ...owner, host: hostname() }, null, 2)}\n`);
  await rename(temporary, file);
}

function isOwner(value: unknown): value is WorkspaceOwner {
  return typeof value === "object" && value !== null && "run_id" in value && "base_commit" in value && "mode" in value;
}
