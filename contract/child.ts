import type { Json } from "./json.js";
import type { RunSpec } from "./run-spec.js";

/** How deep runs may start runs: a workflow that starts itself comes to an end. */
export const MOST_DEPTH = 10;

/** A run that another run starts. */
export interface ChildRequest {
  /** The id it is to have. */
  run_id: string;
  /** Id, slug or name of a workflow of the parent's project, or of a built-in one. */
  workflow: string;
  input: Json;
  /** How people see the run. Left out: the workflow's name. */
  name?: string | undefined;
  /** A tree of its own, or the parent's. */
  workspace: "own" | "parent";
  base_branch: string | null;
  /** All of the parent but what it carries out. */
  parent: Omit<RunSpec, "program" | "continued" | "input">;
}
