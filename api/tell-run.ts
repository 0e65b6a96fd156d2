import { WorkflowNotFoundError } from "@temporalio/client";
import type { AcceptedFact } from "../contract/fact.js";
import { isFinished } from "../contract/run.js";
import { applyAccepted } from "../db/projection.js";
import { appendLateFact } from "../db/rebuild.js";
import type { RunState } from "../db/runs.js";
import type { ApiContext } from "./context.js";
import { HttpError } from "./problem.js";
import { isMessageLimit, temporalDeadline } from "./temporal-away.js";

/** Give a run something that was said or brought, then write it down. One that has ended hears nothing: its folder keeps it. */
export async function tellRun(
  context: ApiContext,
  run: RunState,
  { signal, message, fact }: { signal: string; message: object; fact: AcceptedFact },
): Promise<void> {
  const heard = !isFinished(run.status) && (await signalRun(context, run.id, signal, message));
  if (!heard) await appendLateFact(run.project_path, fact);
  await applyAccepted(context.db, fact);
}

/**
 * Signal a run. Says whether it could hear it: one that has ended cannot.
 *
 * @throws {HttpError} 429 when it has heard as many as Temporal lets it.
 */
export async function signalRun({ temporal }: ApiContext, runId: string, signal: string, message: object): Promise<boolean> {
  try {
    await temporal.withDeadline(temporalDeadline(), () => temporal.workflow.getHandle(runId).signal(signal, message));
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    if (isMessageLimit(error))
      throw new HttpError(429, "too_many_signals", "This run cannot be told more before it is continued.");
    throw error;
  }
}
