import type { Trace } from "../contract/activity.js";
import type { Place } from "./engine.js";
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

/** Tell what a try has left besides its value. */
export function tellTrace(narrator: Narrator, trace: Trace): void {
  for (const session of trace.sessions ?? []) narrator.tell({ type: "session.updated", session });
  for (const call of trace.tool_calls ?? []) narrator.tell({ type: "tool_call.recorded", call });
  for (const artifact of trace.artifacts ?? []) narrator.tell({ type: "artifact.created", artifact });
}
