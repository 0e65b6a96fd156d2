import type { StepRef } from "../contract/fact.js";
import type { StepMessage } from "../contract/messages.js";
import type { Place } from "./engine.js";
import type { Narrator } from "./narrator.js";

/** Somebody's hand on a step, in a sentence. */
export function textOfHand({ action, by, reason }: StepMessage, { key }: StepRef): string {
  const did = action === "skip" ? `skipped "${key}"` : `completed "${key}" by hand`;
  return `${by ?? "Somebody"} ${did}${reason ? `: ${reason}` : "."}`;
}

/** A step that a person has left out. */
export function tellSkippedByHand(narrator: Narrator, { step, attempt, lost }: Place, began: string): void {
  const at = new Date().toISOString();
  const none = { output: null, error: null, started_at: began, completed_at: at };
  narrator.tell({ type: "step.finished", step_id: step.id, status: "skipped", attempt: attempt + lost, ...none });
}
