import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import type { Problem } from "../contract/errors.js";
import type { LoadError } from "../contract/workflow.js";
import type { CalledFunctions } from "../definition/functions.js";
import { didYouMean } from "../definition/nearest.js";
import type { Place } from "../definition/node.js";
import { CompileError, compileFunctions } from "./compile.js";

export type LoadedFunctions = { ok: true; code: string; files: string[] } | { ok: false; error: LoadError };

export interface FunctionsPlace {
  /** The definition, absolute. */
  path: string;
  /** The project's folder, absolute. */
  root: string;
  /** The functions that compiled text exports, by evaluating it elsewhere; or why it cannot be. */
  namesOf(file: string, code: string): Promise<string[] | LoadError>;
}

/**
 * Compile the functions that a definition calls: those that a file of the same project exports.
 *
 * @returns what is wrong at its place: in the definition when there is no such file or function, or it lies outside of the project; else in the file.
 */
export async function loadFunctions(
  { file, at, calls }: CalledFunctions,
  { path, root, namesOf }: FunctionsPlace,
): Promise<LoadedFunctions> {
  const definition = relative(root, path);
  const wanted = resolve(dirname(path), file);
  const real = await realpath(wanted).catch(() => null);
  const named = relative(root, wanted);
  if (isOutside(named) || (real && isOutside(relative(await realpath(root), real)))) {
    return refused(definition, [problem(at, `${file} is outside of the project. Functions that steps call lie within it.`)]);
  }
  if (!real) return refused(definition, [problem(at, `There is no file ${named}. The path begins where the definition lies.`)]);
  try {
    const { code, files } = await compileFunctions(wanted, root);
    const names = await namesOf(named, code);
    if (!Array.isArray(names)) return { ok: false, error: names };
    const missing = calls.filter(({ name }) => !names.includes(name));
    if (missing.length === 0) return { ok: true, code, files };
    return refused(
      definition,
      missing.map(({ name, at }) =>
        problem(at, `${named} exports no function "${name}".${didYouMean(name, names) || known(names)}`),
      ),
    );
  } catch (error) {
    if (error instanceof CompileError) return { ok: false, error: error.problem };
    throw error;
  }
}

/** Why a definition that is in no file cannot call functions. */
export function alone({ at }: CalledFunctions): Problem {
  return problem(at, "Only a definition in a file of a project has functions of its own to call. Save this one there.");
}

function isOutside(path: string): boolean {
  return path === ".." || path.startsWith(`..${sep}`) || isAbsolute(path);
}

function known(names: readonly string[]): string {
  return names.length === 0 ? " It exports none." : ` It exports ${names.join(", ")}.`;
}

function problem({ path, line, column }: Place, message: string): Problem {
  return { path, message, line, column };
}

function refused(file: string, problems: Problem[]): LoadedFunctions {
  const [first] = problems;
  const { message = "", line = null, column = null } = first ?? {};
  return { ok: false, error: { message, file, line, column, ...(problems.length > 1 ? { problems } : {}) } };
}
