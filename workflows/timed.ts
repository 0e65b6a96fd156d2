import { CancellationScope, sleep } from "@temporalio/workflow";
import type { Outcome } from "../contract/activity.js";
import { StepFailed } from "../sdk/step-failed.js";

/** A function's time limit: what it does by `ctx` is cancelled when it is over. */
export async function within<T>(key: string, limit: number | undefined, fn: () => Promise<T>): Promise<T> {
  if (!limit) return fn();
  const scope = new CancellationScope();
  const clock = new CancellationScope();
  let over = false;
  const ticking = clock.run(async () => {
    await sleep(limit, { summary: `time limit of ${key}` });
    over = true;
    scope.cancel();
  });
  ticking.catch(() => undefined); // cancelled when the function is done
  try {
    return await scope.run(fn);
  } catch (error) {
    if (over) throw new StepFailed(key, "timed_out", `${key} took more than its ${limit} ms.`);
    throw error;
  } finally {
    clock.cancel();
  }
}

/** A workflow's own doing as an outcome, by the workflow's clock. */
export async function timed<Value>(work: () => Promise<Value>): Promise<Outcome<Value>> {
  const started_at = new Date().toISOString();
  const value = await work();
  return { value, started_at, completed_at: new Date().toISOString(), lost: [] };
}
