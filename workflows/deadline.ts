import { condition } from "@temporalio/workflow";
import { LONGEST_MS } from "../contract/duration.js";
import type { OpenWait } from "../contract/seed.js";
import { StepFailed } from "../sdk/step-failed.js";
import type { Engine } from "./engine.js";

/**
 * Wait until something holds, or `ms` have passed. Without a limit there is a timer as well: a wait that left nothing in the
 * history would be replayed with the time of what ended it. It is the bar that Temporal's page shows.
 *
 * @param summary what the bar says.
 */
export async function conditionBy(
  { passage }: Engine,
  holds: () => boolean,
  ms: number | undefined,
  summary: string,
): Promise<void> {
  do await condition(holds, ms ?? LONGEST_MS, { summary: summary.slice(0, 120) });
  while (ms === undefined && !holds());
  await passage.thaw();
}

/** Of a wait that began in an earlier execution, until its end there was said to be. */
export function leftOf(wait: OpenWait | undefined, ms: number): number;
export function leftOf(wait: OpenWait | undefined, ms: number | undefined): number | undefined;
export function leftOf(wait: OpenWait | undefined, ms: number | undefined): number | undefined {
  const { until } = wait?.waiting_for ?? {};
  return until === undefined ? ms : Math.max(1, Date.parse(until) - Date.now());
}

/** When a wait that begins now is over; undefined without a limit. */
export function deadlineOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(Date.now() + ms).toISOString();
}

/**
 * What waits for somebody is seen and answered as a step of its own.
 *
 * @param what with its article, as a sentence begins.
 * @throws {StepFailed} `invalid_step` inside `ctx.run`.
 */
export function refuseInside(engine: Engine, key: string, what: string): void {
  if (!engine.place) return;
  const where = `inside the step "${engine.place.step.key}"`;
  throw new StepFailed(key, "invalid_step", `${what} is a step of its own: "${key}" cannot be ${where}. Move it out of ctx.run.`);
}
