import type { Outcome, Trace } from "../contract/activity.js";
import type { FactBody, StepRef } from "../contract/fact.js";
import type { Json } from "../contract/json.js";
import type { StepError } from "../contract/step.js";
import type { Place } from "./engine.js";
import type { StepFailure } from "./failure.js";
import type { Narrator } from "./narrator.js";

/** Tell the tries whose worker died, and count them in the place. */
export function tellLost(narrator: Narrator, place: Place, { lost }: Trace): void {
  for (const { started_at, lost_at } of lost) {
    narrator.tell({
      type: "step.attempt",
      step_id: place.step.id,
      attempt: place.attempt + place.lost++,
      status: "lost",
      error: { type: "worker_lost", message: "The worker was lost in this try; it may have acted." },
      started_at,
      completed_at: lost_at,
      retry_at: lost_at,
    });
  }
}

/** Tell a try that a pause has stopped, and count it in the place: one more comes in its stead. */
export function tellStopped(narrator: Narrator, place: Place, { detail }: StepFailure, begun: string): void {
  if (detail) {
    tellLost(narrator, place, detail);
    tellTrace(narrator, detail);
  }
  const at = detail?.completed_at ?? new Date().toISOString();
  narrator.tell({
    type: "step.attempt",
    step_id: place.step.id,
    attempt: place.attempt + place.lost++,
    status: "stopped",
    error: { type: "paused", message: "It was stopped as the run was paused, and is done again when that goes on." },
    started_at: detail?.started_at ?? begun,
    completed_at: at,
    retry_at: at,
  });
}

/** Tell what a try has left besides its value. */
export function tellTrace(narrator: Narrator, trace: Trace): void {
  for (const session of trace.sessions ?? []) narrator.tell({ type: "session.updated", session });
  for (const call of trace.tool_calls ?? []) narrator.tell({ type: "tool_call.recorded", call });
  for (const artifact of trace.artifacts ?? []) narrator.tell({ type: "artifact.created", artifact });
}

/** How a step's last try ended, and when it began and ended. */
export interface StepEnd {
  status: "completed" | "failed" | "cancelled";
  output: Json;
  error: StepError | null;
  started_at: string;
  completed_at: string;
}

export function tellEnd(narrator: Narrator, { step, attempt, lost }: Place, end: StepEnd): void {
  narrator.tell({ type: "step.finished", step_id: step.id, ...end, attempt: attempt + lost }, end.completed_at);
}

/** A step that its author has switched off. */
export function tellSkipped(narrator: Narrator, step: StepRef, input: Json): void {
  const at = new Date().toISOString();
  narrator.tell({ type: "step.started", step, max_attempts: 1, input });
  const none = { output: null, error: null, started_at: at, completed_at: at };
  narrator.tell({ type: "step.finished", step_id: step.id, status: "skipped", attempt: 1, ...none });
}

/** How a try failed that is followed by another one, in `delay` milliseconds. @param begun when it was asked for */
export function tellFailedTry(
  narrator: Narrator,
  { step, attempt, lost, since }: Place,
  { error, detail }: StepFailure,
  { begun, delay }: { begun: string; delay: number },
): void {
  if (detail) tellTrace(narrator, detail);
  const completed_at = detail?.completed_at ?? new Date().toISOString();
  narrator.tell(
    {
      type: "step.attempt",
      step_id: step.id,
      attempt: attempt + lost,
      status: "failed",
      error,
      started_at: since ?? detail?.started_at ?? begun,
      completed_at,
      retry_at: new Date(Date.now() + delay).toISOString(),
    },
    completed_at,
  );
}

/** The place after a finished step; with a label and its number among those, one that the author asked for. */
export function checkpointFact(
  runId: string,
  step: StepRef,
  { outcome, asked }: { outcome?: Outcome<unknown>; asked?: { label: string; number: number } },
): FactBody {
  return {
    type: "checkpoint.created",
    id: `${runId}-k${step.number}${asked ? `-u${asked.number}` : ""}`,
    step,
    label: asked?.label ?? null,
    created_by: asked ? "user" : "automatic",
    tree: outcome?.tree ?? null,
  };
}
