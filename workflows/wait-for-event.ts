import type { StepRef } from "../contract/fact.js";
import type { Json } from "../contract/json.js";
import type { WaitingFor } from "../contract/run.js";
import type { StepOptions } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";
import { defined } from "./call.js";
import { conditionBy, deadlineOf, leftOf, refuseInside } from "./deadline.js";
import type { Engine, Place } from "./engine.js";
import { timed } from "./timed.js";

export interface EventWait {
  /** Name of the event. */
  event: string;
  /** Milliseconds to wait. Left out: for ever. */
  deadlineMs?: number | undefined;
}

/**
 * A step that waits for an event from outside, and gives its payload. One that has come before counts: the earliest of this name that
 * no step has taken.
 *
 * @throws {StepFailed} `event_timed_out` when none comes by the deadline; `invalid_step` inside another step.
 */
export async function waitForEvent(engine: Engine, key: string, wait: EventWait, options: StepOptions = {}): Promise<Json> {
  refuseInside(engine, key, "A wait for an event");
  const { event, deadlineMs } = wait;
  return engine.step(
    {
      kind: "wait",
      key,
      options,
      input: { event, ...defined({ deadline_ms: deadlineMs }) },
      waiting: (step) => (engine.mailbox.has(event) ? undefined : waitingFor(step, wait)),
    },
    (place) => timed(() => taken(engine, place, wait)),
  );
}

function waitingFor(step: StepRef, { event, deadlineMs }: EventWait): WaitingFor {
  const message = `Waits for the event "${event}"`;
  const since = new Date().toISOString();
  return { kind: "event", step_id: step.id, message, event, since, ...defined({ until: deadlineOf(deadlineMs) }) };
}

async function taken(engine: Engine, { step, wait: begun }: Place, { event, deadlineMs }: EventWait): Promise<Json> {
  const { mailbox } = engine;
  const wait = mailbox.expect(event);
  try {
    await conditionBy(engine, () => wait.given !== undefined, leftOf(begun, deadlineMs), `${step.name}: waits for ${event}`);
  } catch (error) {
    mailbox.leave(wait, { unread: true });
    throw error;
  }
  mailbox.leave(wait);
  if (wait.given) return wait.given.payload;
  throw new StepFailed(step.key, "event_timed_out", `The event "${event}" did not come within ${deadlineMs} ms.`);
}
