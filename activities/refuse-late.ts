import type { RunRef } from "../contract/activity.js";
import { StepFailure } from "./failure.js";
import { readOwner } from "./workspace-owner.js";

export interface LateDeps {
  isReset?: ((workflowId: string, execution: string) => Promise<boolean>) | undefined;
}

/**
 * What comes for an execution that the run does not go on in any more does nothing to its tree. One that Temporal's own reset has made
 * waits: the run is restored in its place, which ends it.
 *
 * @throws {StepFailure} `superseded`; the signal's reason.
 */
export async function refuseLate(
  { isReset }: LateDeps,
  { workspace }: RunRef,
  { workflow_id, execution }: { workflow_id: string; execution: string },
  signal: AbortSignal,
): Promise<void> {
  if (workspace.mode === "in_place") return; // the project's folder has no owner
  const owner = await readOwner(workspace.path);
  if (owner === null) return;
  const [now, then] = [owner.restored ?? 0, workspace.restored ?? 0];
  if (then < now) throw new StepFailure("superseded", "The run was restored to what it was before this step.");
  if (owner.execution === null || owner.execution === execution || !(await isReset?.(workflow_id, execution))) return;
  await new Promise((_, refuse) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => refuse(signal.reason), { once: true });
  });
}
