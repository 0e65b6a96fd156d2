import type { Problem } from "./errors.js";
import type { Json } from "./json.js";
import type { Program } from "./run-spec.js";
import type { Dialect, LoadError, Workflow } from "./workflow.js";

/** What a definition file says of itself, and what its runs carry out. */
export interface LoadedWorkflow {
  name: string;
  description: string | null;
  version: string | null;
  phases: string[];
  args_schema: Json | null;
  config: Json;
  timeout_ms: number;
  type: Workflow["type"];
  dialect: Dialect;
  tags: string[];
  author: string | null;
  program: Program;
  /** Compiled text of the exported `activities`, or of the file that a plan names; null without. Its sha256 is the program's `activities_hash`. */
  activities_code: string | null;
  /** sha256 over code or the canonical JSON of the plan, and activities: the content that a revision counts. */
  hash: string;
}

/** `files` are all that it was made of, absolute: when none of them has changed, it would be the same again. */
export type LoadResult = { ok: true; workflow: LoadedWorkflow; files: string[] } | { ok: false; error: LoadError };

/** As `LoadResult`, of a text: every problem at its place in it. */
export type CompiledText = { ok: true; workflow: LoadedWorkflow } | { ok: false; problems: Problem[] };

export type InputResult = { ok: true; input: Json } | { ok: false; problems: Problem[] };

/**
 * Compiles and evaluates definition files, each time in a child process with a time limit and no
 * secrets. Handed to the API by whoever starts it.
 */
export interface Loader {
  /**
   * @param file absolute. @param root the project's folder, absolute.
   * @param text what is taken to stand in the file, which need not be there. @default what stands in it
   */
  load(file: string, root: string, text?: string): Promise<LoadResult>;
  /**
   * Compile a definition that is in no file, and so has no functions of its own.
   *
   * @param text YAML or JSON, as `file` ends.
   * @param file what it is called in its runs; of stages it says the id.
   */
  compileText(text: string, file: string): Promise<CompiledText>;
  /** Check a run's input by the file's own schema and fill in its defaults. */
  checkInput(program: Program, input: Json): Promise<InputResult>;
}
