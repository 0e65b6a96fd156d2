import { InvalidError } from "../contract/errors.js";
import type { TreeOrigin } from "../contract/run-spec.js";
import type { Seed } from "../contract/seed.js";
import { findCheckpoint } from "../db/checkpoints.js";
import { getRun, getRunState } from "../db/runs.js";
import { lastTree, seededSteps } from "../db/seed.js";
import type { ApiContext } from "./context.js";

/** What a run begins with that is started from another one's checkpoint. */
export interface Resumed {
  seed: Seed;
  /** None: that run had left no tree by then. */
  from?: TreeOrigin;
}

/**
 * Another run's checkpoint as a new run's beginning: the steps up to the checkpoint's own that had ended are taken as they ended.
 *
 * @throws {InvalidError} when there is none of this id in the project.
 */
export async function resumeFrom({ db }: ApiContext, checkpointId: string, projectId: string): Promise<Resumed> {
  const checkpoint = await findCheckpoint(db, checkpointId);
  const state = checkpoint && (await getRunState(db, checkpoint.run_id));
  if (!checkpoint || state?.project_id !== projectId) {
    const message = `names no checkpoint of the project: ${checkpointId}`;
    throw new InvalidError(`options.resume_from_checkpoint ${message}.`, [{ path: "options.resume_from_checkpoint", message }]);
  }
  const { run_id } = checkpoint;
  const seed = { run_id, before: checkpoint.step_number + 1 };
  const steps = await seededSteps(db, seed);
  if (!steps.some(({ number }) => number === checkpoint.step_number)) {
    const message = `names a checkpoint that a restore of its run has superseded: ${checkpointId}`;
    throw new InvalidError(`options.resume_from_checkpoint ${message}.`, [{ path: "options.resume_from_checkpoint", message }]);
  }
  const tree = await lastTree(db, run_id, steps);
  if (!tree) return { seed };
  const { branch_name: branch } = await getRun(db, run_id);
  return { seed, from: { run_id, ...tree, path: state.header.workspace.path, branch } };
}
