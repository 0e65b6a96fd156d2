import { type BulkAction, type BulkResult, type BulkRun, MOST_IN_BULK } from "../contract/bulk.js";
import { ConflictError } from "../contract/errors.js";
import { newId } from "../contract/id.js";
import { isFinished, type RunStatus } from "../contract/run.js";
import { recordAudit } from "../db/audit.js";
import { countByStatus, findRuns, getRunState, type RunFilter } from "../db/runs.js";
import type { User } from "../db/tokens.js";
import type { ApiContext } from "./context.js";
import { cancelRun, pauseRun, resumeRun } from "./control-run.js";
import { pointOfRetry, restoreRun } from "./restore-run.js";

/** Runs that are done at the same moment. */
const AT_ONCE = 8;

/** What an action is for. */
const FITS: Record<BulkAction, readonly RunStatus[]> = {
  pause: ["pending", "running", "waiting"],
  resume: ["paused"],
  cancel: ["pending", "running", "waiting", "paused"],
  retry: ["failed", "timed_out"],
};

export interface BulkRequest {
  action: BulkAction;
  filter: Omit<RunFilter, "limit" | "page" | "cursor">;
  /** Of a pause. */
  mode: "boundary" | "now";
  /** Of a cancellation. */
  reason?: string | undefined;
  dry_run: boolean;
  /** How many a dry run has told. */
  count?: number | undefined;
}

/**
 * Do the same to all runs that a filter finds and that it fits; in a dry run, only say to which.
 *
 * @throws {ConflictError} `count_changed` when they are not as many as were told; `too_many` for more than 1,000.
 */
export async function bulkRuns(context: ApiContext, request: BulkRequest, user: User): Promise<BulkResult> {
  const { action, filter, dry_run } = request;
  const { db } = context;
  const all = await countByStatus(db, filter);
  const status = FITS[action].filter((each) => filter.status?.includes(each) ?? true);
  const found = status.length === 0 ? [] : await findRuns(db, { ...filter, status }, MOST_IN_BULK + 1);
  if (found.length > MOST_IN_BULK) {
    const message = `These are more than ${MOST_IN_BULK} runs. Name a project, workflow, status or branch, and do the others then.`;
    throw new ConflictError(message, "too_many");
  }
  if (request.count !== undefined && request.count !== found.length) {
    const message = `There are ${found.length} such runs now, not ${request.count}. Nothing was done; look again.`;
    throw new ConflictError(message, "count_changed");
  }
  const plain = { outcome: "would" as const, code: null, message: null };
  const would = found.map((run): BulkRun => ({ ...run, ...plain }));
  const runs = dry_run ? would : await inTurns(would, (run) => act(context, request, user, run));
  const done = runs.filter(({ outcome }) => outcome === "done" || outcome === "asked").length;
  const matched = [...all.values()].reduce((sum, number) => sum + number, 0);
  if (!dry_run) {
    const { mode, reason = null } = request;
    const data = {
      filter: JSON.parse(JSON.stringify(filter)),
      mode,
      reason,
      count: runs.length,
      done,
      runs: runs.map(({ id }) => id),
    };
    await recordAudit(db, { user_id: user.id, action: `runs.${action}`, subject: user.id, data });
  }
  return { action, dry_run, matched, count: runs.length, done, runs };
}

async function act(context: ApiContext, { action, mode, reason }: BulkRequest, user: User, run: BulkRun): Promise<BulkRun> {
  try {
    switch (action) {
      case "pause":
        await pauseRun(context, run.id, user, mode);
        return { ...run, outcome: "done" };
      case "resume":
        await resumeRun(context, run.id, user);
        return { ...run, outcome: "done" };
      case "cancel":
        return { ...run, outcome: (await cancelRun(context, run.id, user, { reason, patience: 0 })) ? "done" : "asked" };
      case "retry":
        await retryRun(context, run.id, user);
        return { ...run, outcome: "done" };
    }
  } catch (error) {
    // One that does not go is told of, and holds up none of the others.
    if (await isSoAlready(context, action, run.id)) return { ...run, outcome: "done" };
    const code = error instanceof ConflictError ? error.code : "failed";
    return { ...run, outcome: "differs", code, message: error instanceof Error ? error.message : String(error) };
  }
}

async function retryRun(context: ApiContext, id: string, user: User): Promise<void> {
  const asked = { id: newId("req"), created_at: new Date().toISOString(), user, action: "run.retry" as const };
  await restoreRun(context, id, () => pointOfRetry(context, id), asked);
}

/** A run is resumed and cancelled with the one above it, which may have been first. */
async function isSoAlready({ db }: ApiContext, action: BulkAction, id: string): Promise<boolean> {
  if (action !== "resume" && action !== "cancel") return false;
  const status = await getRunState(db, id).then(
    (run) => run.status,
    () => undefined,
  );
  if (action === "cancel") return status === "cancelled";
  return status !== undefined && status !== "paused" && !isFinished(status);
}

async function inTurns(runs: readonly BulkRun[], act: (run: BulkRun) => Promise<BulkRun>): Promise<BulkRun[]> {
  const done: BulkRun[] = [];
  for (let i = 0; i < runs.length; i += AT_ONCE) done.push(...(await Promise.all(runs.slice(i, i + AT_ONCE).map(act))));
  return done;
}
