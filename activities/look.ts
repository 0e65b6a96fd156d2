import { Context } from "@temporalio/activity";
import { CancelledFailure } from "@temporalio/common";
import type { Call, Outcome, Trace } from "../contract/activity.js";
import { describeFailure, toApplicationFailure } from "./failure.js";
import { withinHistory } from "./oversize.js";
import type { PerformDeps } from "./perform.js";
import { accessTo } from "./project-access.js";

const HEARTBEAT_MS = 5_000;

/**
 * A pure look at the world: no journal and no step of its own. It may be done any number of times. Secrets are hidden in what it
 * gives.
 *
 * @throws like `perform`.
 */
export async function look<Value>(
  deps: Pick<PerformDeps, "access" | "mask">,
  call: Call<unknown>,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Outcome<Value>> {
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  const now = () => new Date().toISOString();
  const trace: Trace = { started_at: now(), completed_at: now(), lost: [] };
  const signal = context.cancellationSignal;
  try {
    const { mask } = await accessTo(deps, { projectId: call.run.project_id, signal });
    const found = await withinHistory(call.run, call.step, mask.json(await work(signal)));
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
