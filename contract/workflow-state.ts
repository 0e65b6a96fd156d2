import { z } from "zod";
import { isFinished, type RunStatus } from "./run.js";

/** The states of other engines, which tell of their own inner steps. Ours are `RunStatus`. */
export const WorkflowState = z.enum([
  "idle",
  "parsing",
  "validating",
  "building_graph",
  "scheduling",
  "executing",
  "awaiting_completion",
  "creating_checkpoint",
  "restoring_checkpoint",
  "aggregating_results",
  "completed",
  "failed",
  "paused",
  "cancelled",
]);
export type WorkflowState = z.infer<typeof WorkflowState>;

/** What a run of ours is then. A definition is parsed, checked and made a plan before its run is there at all. */
const STATUS: Record<WorkflowState, RunStatus> = {
  idle: "pending",
  parsing: "pending",
  validating: "pending",
  building_graph: "pending",
  scheduling: "pending",
  executing: "running",
  awaiting_completion: "running",
  creating_checkpoint: "running",
  restoring_checkpoint: "running",
  aggregating_results: "running",
  completed: "completed",
  failed: "failed",
  paused: "paused",
  cancelled: "cancelled",
};

export function statusOfState(state: WorkflowState): RunStatus {
  return STATUS[state];
}

/** Whether a run stays as it is: completed, failed or cancelled. */
export function isTerminalState(state: WorkflowState): boolean {
  return isFinished(statusOfState(state));
}
