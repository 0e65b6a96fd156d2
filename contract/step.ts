import { z } from "zod";
import { Id } from "./id.js";
import { Json } from "./json.js";
import { Time } from "./time.js";
import { Usage } from "./usage.js";
import { WaitingFor } from "./waiting-for.js";

export const StepStatus = z.enum(["pending", "running", "retrying", "waiting", "completed", "failed", "skipped", "cancelled"]);
export type StepStatus = z.infer<typeof StepStatus>;

export const StepKind = z.enum([
  "agent",
  "shell",
  "git",
  "files",
  "artifact",
  "tool",
  "activity",
  "function",
  "approval",
  "sleep",
  "wait",
  "workflow",
]);
export type StepKind = z.infer<typeof StepKind>;

/** What went wrong, in a word a program can switch on and a sentence a person can act on. */
export const StepError = z.object({ type: z.string(), message: z.string() });
export type StepError = z.infer<typeof StepError>;

export const SessionSummary = z.object({
  id: Id,
  name: z.string().nullable(),
  agent: z.string(),
  status: z.string(),
  session_file_path: z.string().nullable(),
  usage: Json.nullable(),
});

/** A step as lists of runs show it. */
export const StepBrief = z.object({
  id: Id,
  /** The key in the definition. */
  step_id: z.string(),
  step_number: z.int(),
  name: z.string(),
  phase: z.string().nullable(),
  status: StepStatus,
  /** The run was restored to what it was before this step: it shows what was, and counts no more. */
  superseded: z.boolean(),
});
export type StepBrief = z.infer<typeof StepBrief>;

/** One row per doing of a step; automatic retries are attempts of the same row. */
export const Step = StepBrief.extend({
  run_id: Id,
  workflow_run_id: Id,
  kind: StepKind,
  iteration: z.int(),
  attempt: z.int(),
  attempt_number: z.int(),
  max_attempts: z.int(),
  input: Json.nullable(),
  output: Json.nullable(),
  error: StepError.nullable(),
  error_message: z.string().nullable(),
  /** Set while it waits. */
  waiting_for: WaitingFor.nullable(),
  log_directory_path: z.string().nullable(),
  agent_session_id: z.string().nullable(),
  session: SessionSummary.nullable(),
  sessions: z.array(SessionSummary),
  /** Of all its sessions; null when no agent has told any. */
  usage: Usage.nullable(),
  started_at: Time.nullable(),
  completed_at: Time.nullable(),
  duration_ms: z.int().nullable(),
  created_at: Time,
  updated_at: Time,
});
export type Step = z.infer<typeof Step>;

export const StepAttempt = z.object({
  number: z.int(),
  status: z.string(),
  error: StepError.nullable(),
  started_at: Time.nullable(),
  completed_at: Time.nullable(),
});
export type StepAttempt = z.infer<typeof StepAttempt>;

/** A finished step never changes again; only a new row can do it once more. */
export function isStepFinished(status: StepStatus): boolean {
  return status === "completed" || status === "failed" || status === "skipped" || status === "cancelled";
}
