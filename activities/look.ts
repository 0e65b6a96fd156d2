import { Context } from "@temporalio/activity";
import { CancelledFailure } from "@temporalio/common";
import type { Call, Outcome, Trace } from "../contract/activity.js";
import { describeFailure, toApplicationFailure } from "./failure.js";
import { withinHistory } from "./oversize.js";

const HEARTBEAT_MS = 5_000;

/**
 * A pure look at the world: no journal and no step of its own. It may be done any number of times.
 *
 * @throws like `perform`.
 */
export async function look<Value>(call: Call<unknown>, work: (signal: AbortSignal) => Promise<Value>): Promise<Outcome<Value>> {
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  const now = () => new Date().toISOString();
  const trace: Trace = { started_at: now(), completed_at: now(), lost: [] };
  try {
    const found = await withinHistory(call.run, call.step, await work(context.cancellationSignal));
    // What is too large is a reference, as any reader of a value must expect.
    return {
      ...trace,
      completed_at: now(),
      value: found.value as Value,
      ...(found.artifact ? { artifacts: [found.artifact] } : {}),
    };
  } catch (error) {
    if (error instanceof CancelledFailure) throw error;
    throw toApplicationFailure(describeFailure(error, { ...trace, completed_at: now() }), error);
  } finally {
    clearInterval(beating);
  }
}
