import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { ComparedFile, TreeDifference } from "../contract/comparison.js";
import { git, isRepository, readGit } from "./git.js";

/** Characters of a patch, and of a list of files. */
const MOST_PATCH = 262_144;
const MOST_LIST = 4_194_304;
const MOST_FILES = 2_000;

/** Of a repository nothing runs: no driver of its own makes the difference. */
const PLAIN = ["--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--submodule=short"];

const STATUS: Record<string, ComparedFile["status"]> = {
  A: "added",
  M: "modified",
  D: "deleted",
  R: "renamed",
  C: "copied",
  T: "type_changed",
};

export interface TreesToCompare {
  /** A repository that has them, or whose clones have. */
  project: string;
  /** Trees of runs: those that are clones keep their own commits. */
  clones: readonly string[];
  /** Commits. */
  from: string;
  to: string;
  patch: boolean;
}

/** What leads from one commit's tree to the other's; a sentence when that cannot be said. */
export async function diffTrees({ project, clones, from, to, patch }: TreesToCompare): Promise<TreeDifference | string> {
  if (!(await isRepository(project))) return `${project} is no git repository any more.`;
  const objects = clones.map((path) => join(path, ".git", "objects")).filter((path) => existsSync(path));
  const env: Record<string, string> =
    objects.length > 0 ? { GIT_ALTERNATE_OBJECT_DIRECTORIES: objects.map(quoted).join(delimiter) } : {};
  const diff = (...how: string[]) => ["diff", ...PLAIN, ...how, "--end-of-options", from, to, "--"];
  const [names, numbers, text] = await Promise.all([
    readGit(project, diff("--name-status", "-z"), { env, limit: MOST_LIST }),
    readGit(project, diff("--numstat", "-z"), { env, limit: MOST_LIST }),
    patch ? readGit(project, diff("--patch"), { env, limit: MOST_PATCH }) : null,
  ]);
  if (names === null || numbers === null || (patch && text === null)) {
    const there = await git(project, "cat-file", "-e", `${from}^{tree}`);
    return `The tree of the ${there === null ? "first" : "second"} run is gone from ${project}: its checkpoints have been removed.`;
  }
  const files = filesOf(names.text, numbersOf(numbers.text));
  const sum = (field: "additions" | "deletions") => files.reduce((all, file) => all + (file[field] ?? 0), 0);
  const cut = text?.truncated === true;
  return {
    equal: files.length === 0,
    additions: sum("additions"),
    deletions: sum("deletions"),
    files: files.slice(0, MOST_FILES),
    patch: text === null ? null : cut ? text.text.slice(0, text.text.lastIndexOf("\n") + 1) : text.text,
    truncated: cut || names.truncated || numbers.truncated || files.length > MOST_FILES,
  };
}

/** Git takes a path with its own separator in it between quotes. */
function quoted(path: string): string {
  return path.includes(delimiter) || path.startsWith('"') ? JSON.stringify(path) : path;
}

type Lines = Pick<ComparedFile, "additions" | "deletions">;

/** `1\t2\tpath\0`, or of a moved file `1\t2\t\0from\0to\0`; `-` of a binary one. */
function numbersOf(text: string): Map<string, Lines> {
  const found = new Map<string, Lines>();
  const parts = text.split("\0");
  for (let i = 0; i < parts.length; i++) {
    const [, added, deleted, path] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(parts[i] ?? "") ?? [];
    if (added === undefined || deleted === undefined) continue;
    if (path === "") i += 2;
    const name = path || parts[i];
    const lines = (count: string) => (count === "-" ? null : Number(count));
    if (name !== undefined) found.set(name, { additions: lines(added), deletions: lines(deleted) });
  }
  return found;
}

/** `M\0path\0`, or of a moved file `R100\0from\0to\0`. */
function filesOf(text: string, numbers: Map<string, Lines>): ComparedFile[] {
  const files: ComparedFile[] = [];
  const parts = text.split("\0");
  for (let i = 0; i + 1 < parts.length; ) {
    const status = STATUS[parts[i++]?.[0] ?? ""] ?? "modified";
    const from = status === "renamed" || status === "copied" ? (parts[i++] ?? null) : null;
    const path = parts[i++];
    if (path) files.push({ path, from, status, ...(numbers.get(path) ?? { additions: null, deletions: null }) });
  }
  return files;
}
