import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import type { Problem } from "../contract/errors.js";
import { compile } from "../definition/compile.js";
import { createLoader } from "../worker/load.js";

/** A problem and the file it is in, relative to where it was asked from. `path` is the place inside, where there is one. */
export interface FileProblem extends Problem {
  file: string;
}

const DECLARED = [".yaml", ".yml", ".json"];

/**
 * Everything that is wrong with a workflow's file; nothing when it would be accepted. Code is compiled, and evaluated in a child
 * process.
 *
 * @param path absolute.
 * @param root what files are named relative to, absolute.
 */
export async function validateFile(path: string, root: string): Promise<FileProblem[]> {
  const file = relative(root, path);
  if (DECLARED.includes(extname(path))) {
    const compiled = compile(await readFile(path, "utf8"), file);
    if (!compiled.ok) return compiled.problems.map((problem) => ({ file, ...problem }));
    return compiled.functions ? loaded(path, projectOf(path) ?? root, root) : [];
  }
  if (extname(path) !== ".ts")
    return [{ file, path: "", message: "Workflows are in files that end in .ts, .yaml, .yml or .json." }];
  return loaded(path, root, root);
}

/** What there is to say when it is compiled and evaluated, with files named relative to `from`. */
async function loaded(path: string, root: string, from: string): Promise<FileProblem[]> {
  const result = await createLoader().load(path, root);
  if (result.ok) return [];
  const { message, line, column, problems } = result.error;
  const file = relative(from, join(root, result.error.file));
  if (problems) return problems.map((problem) => ({ file, ...problem }));
  return [{ file, path: "", message, line: line ?? undefined, column: column ?? undefined }];
}

/** The project that a definition is of: the folder above it that is a repository, or has definitions. */
function projectOf(path: string): string | undefined {
  const folder = dirname(path);
  if ([".git", ".agent"].some((name) => existsSync(join(folder, name)))) return folder;
  return folder === path ? undefined : projectOf(folder);
}
