import type { StepRef } from "../contract/fact.js";
import type { Json } from "../contract/json.js";
import type { StepMessage } from "../contract/messages.js";
import { type Decided, SkippedByHand } from "./controls.js";
import type { Engine, Place } from "./engine.js";
import type { Narrator } from "./narrator.js";
import { tellLost, tellTrace } from "./tell-step.js";

/**
 * A step as a person has decided about it.
 *
 * @param began when its first try was asked for
 * @returns what the person has said that it gave; undefined of a skipped step of code
 * @throws {SkippedByHand} of a plan's
 */
export async function byHand(engine: Engine, place: Place, { asked, left }: Decided, began: string): Promise<Json | undefined> {
  const { narrator, spec } = engine;
  const { step } = place;
  await engine.endings.turn(step.number);
  if (left?.detail) {
    tellLost(narrator, place, left.detail);
    tellTrace(narrator, left.detail);
  }
  const { action, by, reason = null, output = null } = asked;
  engine.notes.tellComment(textOfHand(asked, step), step.id, { by_hand: action, by, reason });
  const started_at = place.since ?? left?.detail?.started_at ?? began;
  if (action === "complete") {
    engine.complete(place, { value: output, started_at, completed_at: new Date().toISOString(), lost: [] });
    return output;
  }
  engine.leaveOut(step);
  engine.latest = step;
  tellSkipped(narrator, place, started_at);
  if (spec.program.kind === "code") return undefined; // as one that its author has switched off
  throw new SkippedByHand(`${step.key} was skipped.`);
}

/** Somebody's hand on a step, in a sentence. */
function textOfHand({ action, by, reason }: StepMessage, { key }: StepRef): string {
  const did = action === "skip" ? `skipped "${key}"` : `completed "${key}" by hand`;
  return `${by ?? "Somebody"} ${did}${reason ? `: ${reason}` : "."}`;
}

function tellSkipped(narrator: Narrator, { step, attempt, lost }: Place, began: string): void {
  const at = new Date().toISOString();
  const none = { output: null, error: null, started_at: began, completed_at: at };
  narrator.tell({ type: "step.finished", step_id: step.id, status: "skipped", attempt: attempt + lost, ...none });
}
