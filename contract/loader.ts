import type { Problem } from "./errors.js";
import type { Json } from "./json.js";
import type { Program } from "./run-spec.js";
import type { LoadError } from "./workflow.js";

/** What a definition file says of itself, and its compiled code. */
export interface LoadedWorkflow {
  name: string;
  description: string | null;
  version: string | null;
  phases: string[];
  args_schema: Json | null;
  config: Json;
  timeout_ms: number;
  program: Program;
  /** Compiled text of the exported `activities`, null without; its sha256 is `program.activities_hash`. */
  activities_code: string | null;
  /** sha256 over program and activities: the content that a revision counts. */
  hash: string;
}

/** `files` are all that it was made of, absolute: when none of them has changed, it would be the same again. */
export type LoadResult = { ok: true; workflow: LoadedWorkflow; files: string[] } | { ok: false; error: LoadError };

export type InputResult = { ok: true; input: Json } | { ok: false; problems: Problem[] };

/**
 * Compiles and evaluates definition files, each time in a child process with a time limit and no
 * secrets. Handed to the API by whoever starts it.
 */
export interface Loader {
  /** @param file absolute. @param root the project's folder, absolute. */
  load(file: string, root: string): Promise<LoadResult>;
  /** Check a run's input by the file's own schema and fill in its defaults. */
  checkInput(program: Program, input: Json): Promise<InputResult>;
}
