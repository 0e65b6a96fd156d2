import { Context } from "@temporalio/activity";
import type { RunRef } from "../contract/activity.js";
import type { Restore } from "../contract/restore.js";
import { endEarlier } from "./operations.js";
import { patiently } from "./patiently.js";
import type { PerformDeps } from "./perform.js";
import { claimTree, restoreTree } from "./restore-tree.js";
import { sweepRun } from "./sweep.js";

export interface RestoreRequest {
  run: RunRef;
  restore: Restore;
}

/** What a restored run goes on with. */
export interface Restored {
  /** Numbers of the steps that stay, in the order in which they ended. */
  order: number[];
  /** How many steps and comments it has had, and labels at most. */
  numbers: number;
  comments: number;
  labels: number;
  /** When it began, in milliseconds since 1970. */
  began: number;
  /** What people should know. */
  notice?: string;
}

export interface RestoreDeps extends PerformDeps {
  /** Has all in Postgres that the run's executions before this one have told. */
  tellEarlier(runId: string, execution: string): Promise<void>;
  /** Runs under this one that have not finished. */
  openChildren(runId: string): Promise<string[]>;
  readResumption(runId: string, restore: Restore): Promise<Omit<Restored, "notice">>;
}

/**
 * The first act of a run that is restored: nothing of its earlier executions runs any more or can begin, all that they have told is
 * written, and the tree is as it was. Done again it does the same.
 */
export function createRestoreActivity(deps: RestoreDeps) {
  return {
    restoreRun: (request: RestoreRequest): Promise<Restored> => patiently(() => restoreRun(deps, request), deps),
  };
}

async function restoreRun(deps: RestoreDeps, { run, restore }: RestoreRequest): Promise<Restored> {
  const { cancellationSignal: signal, info } = Context.current();
  const marks = { LONGHAUL_RUN_ID: run.run_id, LONGHAUL_OPERATION: `restore:${run.run_id}` };
  const execution = info.workflowExecution?.runId ?? "";
  const options = { execution, signal, marks };
  await claimTree(run, restore, options);
  await endEarlier(deps, run, restore.count);
  for (const id of [run.run_id, ...(await deps.openChildren(run.run_id))]) await sweepRun(id, deps.graceMs);
  await deps.tellEarlier(run.run_id, execution);
  const notice = await restoreTree(run, restore, options);
  const resumption = await deps.readResumption(run.run_id, restore);
  return { ...resumption, ...(notice === undefined ? {} : { notice }) };
}
