import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Setting } from "./git-settings.js";

/** Files written this shortly before they were read may be written again without a sign of it: clocks of file systems are coarse. */
const TOO_FRESH_MS = 1_000;
const MOST_KNOWN = 500;

interface Known {
  files: string;
  settings: readonly Setting[];
}

const known = new Map<string, Known>();

/**
 * What the configuration of the repository in a folder says. Asked again, it is read again only when one of its files has
 * changed: by inode, size and the two times of which nobody can set the second. A configuration that includes others is read
 * each time.
 *
 * @param read asks git.
 */
export async function repositorySettings(path: string, read: () => Promise<readonly Setting[]>): Promise<readonly Setting[]> {
  const files = await filesOf(path);
  const before = known.get(path);
  if (files !== null && before?.files === files.marks) return before.settings;

  known.delete(path);
  const settings = await read();
  const lasting = files !== null && Date.now() - files.changedAt > TOO_FRESH_MS && settings.length > 0;
  if (!lasting || settings.some(([key]) => /^include(if)?\./i.test(key))) return settings;
  known.set(path, { files: files.marks, settings });
  if (known.size > MOST_KNOWN) known.delete(known.keys().next().value ?? "");
  return settings;
}

/** The files that git would read, by what tells them from others; null when the folder is no top of a repository. */
async function filesOf(path: string): Promise<{ marks: string; changedAt: number } | null> {
  const folder = await gitFolder(join(path, ".git"));
  if (folder === null) return null;
  const common = await readFile(join(folder, "commondir"), "utf8").catch(() => ".\n");
  const files = [join(resolve(folder, common.trim()), "config"), join(folder, "config.worktree")];
  const found = await Promise.all(files.map((file) => stat(file, { bigint: true }).catch(() => null)));
  const marks = found.map((file) => (file ? `${file.dev}:${file.ino}:${file.size}:${file.mtimeNs}:${file.ctimeNs}` : "none"));
  return { marks: [...files, ...marks].join("\n"), changedAt: Math.max(...found.map((file) => Number(file?.ctimeMs ?? 0))) };
}

/** `.git` is the folder itself, or a file that says where it is. */
async function gitFolder(path: string): Promise<string | null> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => (error.code === "EISDIR" ? "" : null));
  if (text === null) return null;
  if (text === "") return path;
  const [, folder] = /^gitdir: (.+?)\r?\n?$/.exec(text) ?? [];
  return folder === undefined ? null : resolve(path, "..", folder);
}
