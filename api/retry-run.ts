import { newId } from "../contract/id.js";
import { getRun } from "../db/runs.js";
import type { User } from "../db/tokens.js";
import type { ApiContext } from "./context.js";
import { failedStep, prepareFork } from "./fork-run.js";
import type { Chosen } from "./idempotency.js";
import { startRun } from "./start-run.js";

/**
 * Go on from the step with which a run failed.
 *
 * @param choose called when all is checked, for the id of the new run
 * @returns the id of the run that goes on
 * @throws {ConflictError} `not_failed`, and what `prepareFork` throws
 */
export async function retryRun(
  context: ApiContext,
  id: string,
  user: User,
  choose: () => Promise<Chosen> = async () => ({ id: newId("run"), created_at: new Date().toISOString() }),
): Promise<string> {
  const step_number = failedStep(await getRun(context.db, id));
  const prepared = await prepareFork(context, id, { step_number }, user);
  const chosen = await choose();
  await startRun(context, prepared, { ...chosen, workflow: prepared.workflow });
  return chosen.id;
}
