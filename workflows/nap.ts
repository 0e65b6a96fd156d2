import { sleep } from "@temporalio/workflow";
import type { Json } from "../contract/json.js";
import type { StepOptions } from "../sdk/context.js";
import { leftOf } from "./deadline.js";
import type { Engine, StepPlan } from "./engine.js";
import { millisecondsOf } from "./step-options.js";
import { timed } from "./timed.js";

/**
 * A step that waits for milliseconds, or for a text such as "2 hours".
 *
 * @throws {StepFailed} `invalid_input`
 */
export async function nap(engine: Engine, key: string, duration: Json, options: StepOptions = {}): Promise<void> {
  const ms = millisecondsOf(key, "duration", duration);
  const plan: StepPlan = {
    kind: "sleep",
    key,
    options,
    input: { duration_ms: ms },
    waiting: (step) => ({
      kind: "timer",
      step_id: step.id,
      message: `Sleeps for ${duration}${typeof duration === "number" ? " ms" : ""}`,
      until: new Date(Date.now() + ms).toISOString(),
    }),
  };
  await engine.step(plan, ({ step, wait }) => timed(() => sleep(leftOf(wait, ms), { summary: step.name })));
}
