import { CancellationScope } from "@temporalio/workflow";
import type { Outcome } from "../contract/activity.js";
import { StepFailed } from "../sdk/step-failed.js";
import { Clock } from "./clock.js";
import type { Life } from "./life.js";

/** A function's time limit: what it does by `ctx` is cancelled when it is over. It stands still while the run does. */
export async function within<T>(life: Life, key: string, limit: number | undefined, fn: () => Promise<T>): Promise<T> {
  if (!limit) return fn();
  const scope = new CancellationScope();
  let over = false;
  const clock = new Clock(limit, `time limit of ${key}`, () => {
    over = true;
    scope.cancel();
  });
  const end = life.limit(clock);
  try {
    return await scope.run(fn);
  } catch (error) {
    if (over) throw new StepFailed(key, "timed_out", `${key} took more than its ${limit} ms.`);
    throw error;
  } finally {
    end();
  }
}

/** A workflow's own doing as an outcome, by the workflow's clock. */
export async function timed<Value>(work: () => Promise<Value>): Promise<Outcome<Value>> {
  const started_at = new Date().toISOString();
  const value = await work();
  return { value, started_at, completed_at: new Date().toISOString(), lost: [] };
}
