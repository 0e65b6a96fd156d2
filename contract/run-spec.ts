import type { RunBudget } from "./budget.js";
import type { Continuation } from "./continuation.js";
import type { Json, JsonObject } from "./json.js";
import type { Plan, PlanStep } from "./plan.js";
import type { Restore } from "./restore.js";
import type { Seed } from "./seed.js";

/** What a run carries out: its own code, or a plan. */
export type Program = CodeProgram | PlanProgram;

/** What YAML and JSON definitions compile to. */
export interface PlanProgram {
  kind: "plan";
  plan: Plan;
  /** The definition file, relative to the project. */
  file: string;
  /** sha256 of the compiled text of the functions that its steps call. Left out: they call none. */
  activities_hash?: string;
}

/** Compiled CommonJS text and what belongs to it. */
export interface CodeProgram {
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
  /** The run whose tree it is. Left out: the run itself. */
  owner?: string;
  /** What is in it at first. Left out: the base. */
  from?: TreeOrigin;
  /** Of a run that goes on from another one without a tree of it: that one's last branch, in whose place it has its own. */
  instead_of?: string;
  /** How often the run whose tree it is was restored: what an execution before that has still to do is refused. @default 0 */
  restored?: number;
}

/** The tree that a step of another run has left. */
export interface TreeOrigin {
  run_id: string;
  step_number: number;
  /** Holds the whole tree. */
  commit: string;
  /** Where that run works. */
  path: string;
  /** The last branch of that run: this one has its own in its place. */
  branch: string | null;
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
  /** False: nobody is there to answer. An approval takes its default at once, or fails as `not_interactive`. @default true */
  interactive?: boolean;
  /** How many runs stand above this one, each started by the one before. @default 0 */
  depth?: number;
  /** Of the runs above this one: what they may spend, this one included. */
  budgets?: RunBudget[];
  created_at: string;
  /** Events of an execution's history after which the run goes on in a further one. @default 4000 */
  continue_after?: number;
  /** What follows a failed step, over what the plan says. */
  on_failure?: PlanStep["on_failure"];
  /** Set in replays alone: what is told of a step's beginning says where in the code that is. @default false */
  placed?: true;
  /** Set when the run goes on from another one. */
  seed?: Seed;
  /** Set when the run was taken back to what it was before. */
  restore?: Restore;
  /** Set when this is not the run's first execution. */
  continued?: Continuation;
}
