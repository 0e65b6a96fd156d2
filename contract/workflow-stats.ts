import { z } from "zod";
import { RunStatus } from "./run.js";
import { StepKind } from "./step.js";
import { Time } from "./time.js";

const Ms = z.int().nullable();

/** How the doings of one step went, in all runs that count. Rates are 0 to 1, durations in milliseconds, null while there is nothing to take them of. */
export const StepStats = z.object({
  /** The step's key in the definition. */
  key: z.string(),
  /** As its latest doing has it. */
  name: z.string(),
  kind: StepKind,
  phase: z.string().nullable(),
  /** Doings that began; skipped ones are not among them. */
  executions: z.int(),
  successful: z.int(),
  failed: z.int(),
  skipped: z.int(),
  /** Failed among those that completed or failed. */
  failure_rate: z.number().nullable(),
  /** Tries after the first. */
  retries: z.int(),
  /** Of completed ones, all tries and what is between them. */
  average_duration_ms: Ms,
  p95_duration_ms: Ms,
});
export type StepStats = z.infer<typeof StepStats>;

/** How the runs of a workflow went. Rates are 0 to 1, durations in milliseconds and of completed runs, null while there are none. */
export const WorkflowStats = z.object({
  workflow_id: z.string(),
  /** Runs made before this do not count; null: all count. */
  since: Time.nullable(),
  executions: z.int(),
  successful: z.int(),
  failed: z.int(),
  timed_out: z.int(),
  cancelled: z.int(),
  /** Not finished yet. */
  open: z.int(),
  /** Successful among finished ones. */
  success_rate: z.number().nullable(),
  /** From start to end, pauses and waits included: as a run's own `duration_ms`. */
  average_duration_ms: Ms,
  p50_duration_ms: Ms,
  p95_duration_ms: Ms,
  /** The same without the time in which the run was paused, or waited for somebody or something. */
  average_running_ms: Ms,
  p50_running_ms: Ms,
  p95_running_ms: Ms,
  last_run: z
    .object({
      id: z.string(),
      name: z.string(),
      status: RunStatus,
      created_at: Time,
      started_at: Time.nullable(),
      completed_at: Time.nullable(),
    })
    .nullable(),
  /** In the order in which runs come to them; 1,000 at most. */
  steps: z.array(StepStats),
});
export type WorkflowStats = z.infer<typeof WorkflowStats>;
