import { z } from "zod";
import { Id } from "./id.js";
import { Json } from "./json.js";
import { Time } from "./time.js";

/** The names of narrated facts as readers see them. */
export const EventType = z.enum([
  "workflow.execution.status_changed",
  "workflow.execution.phase_changed",
  "workflow.execution.corrected",
  "workflow.execution.restored",
  "workflow.step.started",
  "workflow.step.retrying",
  "workflow.step.completed",
  "workflow.comment.created",
  "workflow.artifact.created",
  "workflow.artifact.attached",
  "workflow.agent.updated",
  "workflow.checkpoint.created",
  "workflow.checkpoint.labelled",
  "workflow.approval.requested",
  "workflow.approval.answered",
  "workflow.approval.delegated",
  "workflow.approval.reminded",
]);
export type EventType = z.infer<typeof EventType>;

/** `seq` counts 1..n within a run, without a gap; it is the cursor of the run's stream. */
export const RunEvent = z.object({
  type: EventType,
  run_id: Id,
  seq: z.int(),
  at: Time,
  data: z.record(z.string(), Json),
});
export type RunEvent = z.infer<typeof RunEvent>;

/** Live only: it has no seq, and the log is its record. */
export const PROGRESS = "workflow.step.progress";
export interface StepProgress {
  execution_id: string;
  project_id: string;
  step_id: string;
  attempt: number;
  /** Characters of this step's and attempt's output before this piece. */
  offset: number;
  output: string;
}
