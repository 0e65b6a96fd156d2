import { z } from "zod";
import { Id } from "./id.js";
import { Json } from "./json.js";
import { Step, StepBrief } from "./step.js";
import { Time } from "./time.js";
import { Usage } from "./usage.js";
import { WaitingFor } from "./waiting-for.js";

export { WaitingFor };

export const RunStatus = z.enum(["pending", "running", "paused", "waiting", "completed", "failed", "cancelled", "timed_out"]);
export type RunStatus = z.infer<typeof RunStatus>;

/** A finished run's status changes only by restore; streams close and caches keep it. */
export function isFinished(status: RunStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled" || status === "timed_out";
}

export const RunError = z.object({ type: z.string(), message: z.string(), step_id: z.string().optional() });
export type RunError = z.infer<typeof RunError>;

/** One run of one version of a workflow. `…=x` of the contract: always equal to x. */
export const Run = z.object({
  id: Id,
  run_id: Id,
  project_id: Id,
  user_id: Id,
  workflow_id: Id,
  workflow_definition_id: Id,
  workflow_revision: z.int(),
  name: z.string(),
  status: RunStatus,
  input: Json,
  args: Json,
  output: Json.nullable(),
  error: RunError.nullable(),
  error_message: z.string().nullable(),
  state: Json,
  context: Json,
  current_phase: z.string().nullable(),
  current_stage: z.string().nullable(),
  /** How many steps have finished. */
  current_step_index: z.int(),
  iteration: z.int(),
  current_workflow_step_id: z.string().nullable(),
  current_step: StepBrief.nullable(),
  waiting_for: WaitingFor.nullable(),
  branch_name: z.string().nullable(),
  commit_sha: z.string().nullable(),
  pr_url: z.string().nullable(),
  log_file_path: z.string(),
  triggered_by: z.string().nullable(),
  priority: z.int().nullable(),
  parent_run_id: z.string().nullable(),
  resume_count: z.int(),
  /** Of all its steps together; null when no agent has told any. */
  usage: Usage.nullable(),
  started_at: Time.nullable(),
  completed_at: Time.nullable(),
  paused_at: Time.nullable(),
  cancelled_at: Time.nullable(),
  duration_ms: z.int().nullable(),
  created_at: Time,
  updated_at: Time,
  temporal: z.object({ workflow_id: z.string(), run_id: z.string().nullable(), url: z.string().nullable() }),
  workflow_definition: z.object({ id: Id, name: z.string(), type: z.string(), phases: z.array(z.string()) }),
  _count: z.object({ steps: z.int(), comments: z.int(), artifacts: z.int() }),
  steps: z.array(StepBrief),
});
export type Run = z.infer<typeof Run>;

export const RunWithSteps = Run.extend({ current_step: StepBrief.nullable(), steps: z.array(Step) });
