import type { Json, JsonObject } from "./json.js";

/** A run's own code: compiled CommonJS text and what belongs to it. */
export interface Program {
  kind: "code";
  /** The compiled definition file (CommonJS; `longhaul`, `zod`, `@temporalio/workflow` external). */
  code: string;
  /** The source file, relative to the project: what stack traces name. */
  file: string;
  /** Source files of the compiled text, relative to the project; `lines` points into it. */
  sources: string[];
  /** For each compiled line, from 1: index into `sources` and line there, or null. */
  lines: ([number, number] | null)[];
  /** sha256 of the compiled text of the file's exported `activities`; null when it has none. */
  activities_hash: string | null;
  activities: string[];
}

export type WorkspaceMode = "worktree" | "in_place" | "clone";

/** Where a run works. The path is decided at start, the tree is made by the first step that needs it. */
export interface WorkspaceSpec {
  mode: WorkspaceMode;
  path: string;
  base_branch: string | null;
}

/**
 * The first argument of every run's Temporal workflow: all there is to know of it. A run is bound to
 * this text for ever, whatever happens to its file afterwards.
 */
export interface RunSpec {
  run_id: string;
  name: string;
  project_id: string;
  /** The repository's folder, absolute. */
  project_path: string;
  user_id: string;
  workflow_id: string;
  workflow_name: string;
  workflow_revision: number;
  phases: string[];
  program: Program;
  input: Json;
  context: JsonObject;
  workspace: WorkspaceSpec;
  /** Milliseconds of running time, pauses and waits not counted; 0 = none. */
  timeout_ms: number;
  triggered_by: string | null;
  priority: number | null;
  parent_run_id: string | null;
  created_at: string;
}
