import { TASK_QUEUE } from "../config.js";
import { ConflictError, NotFoundError } from "../contract/errors.js";
import { restoredStart } from "../contract/restore.js";
import { isFinished } from "../contract/run.js";
import { recordAudit } from "../db/audit.js";
import { applyAccepted } from "../db/projection.js";
import { isRestored, planRestore, pointBefore, type RestorePoint, whileRestoring } from "../db/restore.js";
import { getRun, getRunState } from "../db/runs.js";
import type { User } from "../db/tokens.js";
import { findWorkflow } from "../db/workflows.js";
import type { ApiContext } from "./context.js";
import { failedStep } from "./fork-run.js";
import type { Chosen } from "./idempotency.js";
import { withStrategy } from "./start-run.js";
import { temporalDeadline } from "./temporal-away.js";

/** A restore, asked for. */
export interface AskedRestore extends Chosen {
  user: User;
  /** For the audit trail: what was asked for. */
  action: "run.restore" | "run.retry";
}

/**
 * Have a run go on from an earlier point of its own: its execution is ended, whatever it is at, and another one begins in the same moment.
 * What is left of the old one is ended by the new one's first act. Asked again with the same id nothing more happens.
 *
 * @throws {ConflictError} `in_parents_tree` when another run waits for this one, or has lent it its tree.
 */
export async function restoreRun(
  context: ApiContext,
  id: string,
  point: () => Promise<RestorePoint>,
  { id: request, created_at: at, user, action }: AskedRestore,
): Promise<void> {
  const { db, temporal } = context;
  await whileRestoring(db, id, async () => {
    if (await isRestored(db, id, request)) return;
    const { header } = await getRunState(db, id);
    await refuseChild(context, id, header);
    const spec = await planRestore(db, id, await point(), { id: request, at, by: user.id });
    const { restore } = spec;
    const program = withStrategy(spec.program, spec.on_failure);
    const handle = await temporal.withDeadline(temporalDeadline(), () =>
      temporal.workflow.start(spec.workflow_name, {
        taskQueue: TASK_QUEUE,
        args: [{ ...spec, program }],
        ...restoredStart(spec),
      }),
    );
    const into = handle.firstExecutionRunId;
    await applyAccepted(db, { type: "run.restored", run_id: id, at, restore, into, numbers: restore.numbers });
    const data = { checkpoint_id: restore.checkpoint_id, resume_count: restore.count };
    await recordAudit(db, { user_id: user.id, action, subject: id, data });
  });
}

/**
 * The point just before a run went wrong: before the step with which it failed; else that at which its last step had ended.
 *
 * @throws {ConflictError} `not_failed` when it has completed or is under way; `version_changed` when its workflow is another one by now.
 */
export async function pointOfRetry({ db }: ApiContext, id: string): Promise<RestorePoint> {
  const run = await getRun(db, id);
  if (!isFinished(run.status) || run.status === "completed")
    throw new ConflictError(
      `The run ${id} is ${run.status}: there is nothing to retry. Restore it to the checkpoint you mean.`,
      "not_failed",
    );
  const workflow = await findWorkflow(db, run.workflow_id, run.project_id).catch(whenGone);
  const revision = workflow?.revision ?? run.workflow_revision;
  if (revision !== run.workflow_revision) {
    const now = `Its workflow has changed since: it is at revision ${revision}, the run is of revision ${run.workflow_revision}.`;
    const ways = `Retry with mode "fork", or fork it with revision ${revision}, to go on in a new run; restore it to a checkpoint to go on with what it was.`;
    throw new ConflictError(`${now} ${ways}`, "version_changed");
  }
  const hasFailed = run.steps.some(({ status }) => status === "failed");
  return pointBefore(db, id, run.status === "failed" && hasFailed ? failedStep(run) : undefined);
}

function whenGone(error: unknown): null {
  if (error instanceof NotFoundError) return null;
  throw error;
}

/** One that another run waits for would be lost to that one; and its tree may be that one's. */
async function refuseChild(
  { db }: ApiContext,
  id: string,
  {
    parent_run_id,
    triggered_by,
    workspace,
  }: { parent_run_id: string | null; triggered_by: string | null; workspace: { owner?: string } },
): Promise<void> {
  const parent = triggered_by === "workflow" ? parent_run_id : null;
  const above = workspace.owner ?? parent;
  if (above === null) return;
  const { status } = await getRunState(db, above).catch(() => ({ status: "completed" as const }));
  if (workspace.owner === undefined && isFinished(status)) return;
  const why = workspace.owner === undefined ? "waits for it" : "has lent it its tree";
  throw new ConflictError(`The run ${id} belongs to the run ${above}, which ${why}: restore that one.`, "in_parents_tree");
}
