import { CancellationScope, proxyActivities, workflowInfo } from "@temporalio/workflow";
import type { Activities } from "../activities/index.js";
import type { Continuation } from "../contract/continuation.js";
import type { Restore } from "../contract/restore.js";
import type { RunSpec } from "../contract/run-spec.js";
import type { StepError } from "../contract/step.js";
import { readFailure } from "./failure.js";
import type { Narrator } from "./narrator.js";

const { restoreRun } = proxyActivities<Activities>({
  summary: "back to the checkpoint",
  startToCloseTimeout: "1 hour",
  heartbeatTimeout: "20 seconds",
  retry: { initialInterval: "100ms", maximumInterval: "10 seconds" },
});

/** What the run was to be taken back to cannot be had. */
export class NotRestored extends Error {
  override readonly name = "NotRestored";

  constructor(readonly error: StepError) {
    super(error.message);
  }
}

/**
 * The first act of a run that was taken back: nothing of its earlier executions is left, and its tree is as it was. Not stopped by a cancel.
 *
 * @returns what it goes on with.
 * @throws {NotRestored}
 */
export async function goOnFrom(spec: RunSpec, restore: Restore, narrator: Narrator): Promise<Continuation> {
  const { run_id, project_id, project_path, workspace, timeout_ms, phases } = spec;
  const run = { run_id, project_id, project_path, workspace };
  const tell = (numbers: number) =>
    narrator.tell({ type: "run.restored", restore, into: workflowInfo().runId, numbers }, restore.at);
  try {
    const done = await CancellationScope.nonCancellable(() => restoreRun({ run, restore }));
    const { order, began, numbers, comments, labels, notice } = done;
    tell(numbers);
    if (notice !== undefined) narrator.tell({ type: "log", level: "warn", text: notice, step_id: null, attempt: 1 });
    const counted = { numbers, comments, labels, iterations: {}, latest: null, state: {} };
    return {
      engine: { ...counted, phase: phases[0] ?? null, opened: false, events: { kept: [], known: [] } },
      life: { left: timeout_ms, held: [], status: "pending", asked: null },
      done: { order, began },
    };
  } catch (error) {
    tell(restore.numbers);
    throw new NotRestored(readFailure(error).error);
  }
}
