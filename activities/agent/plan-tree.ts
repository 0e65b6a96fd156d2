import type { Call } from "../../contract/activity.js";
import { StepFailure } from "../failure.js";
import { openGit } from "../git-client.js";
import { Interrupted } from "../operation.js";
import type { Work } from "../perform.js";
import { putBack } from "./put-back.js";
import type { TreeState } from "./tree-state.js";
import { stepsLeft, type TurnStart, turnRef } from "./turn-start.js";

export interface PlanTurn {
  call: Call<unknown>;
  work: Work;
  /** Names it among the run's turns. */
  turn: string;
}

/**
 * A step that may only plan has changed the tree: put it back, with what was written kept as a commit. Nothing is put back where others
 * work in the tree, too, as it would be their work.
 *
 * @returns what was done, as a sentence; undefined when the step goes on in another worker.
 */
export async function takeBack({ call, work, turn }: PlanTurn, start: TurnStart, after: TreeState): Promise<string | undefined> {
  if (work.signal.aborted && work.signal.reason instanceof Interrupted) return undefined;
  if (start.kept === null) return "It was left as it is: without git nothing can be put back.";
  const { run, step } = call;
  const git = await openGit(run.workspace.path);
  // A step that has ended before this one's worker was lost is known by what it left alone.
  if (!work.isAlone() || (await stepsLeft(git, run.run_id)) !== start.others)
    return "It was left as it is, as others worked in the tree meanwhile.";
  const ref = turnRef("plan", run.run_id, turn);
  const message = `What step ${step.number} of ${run.run_id} wrote, which may only plan`;
  const unlisted = [...start.state.files.keys()].filter((path) => !after.files.has(path));
  try {
    const isWhole = await putBack(git, start.kept, { ref, message, unlisted });
    return `${isWhole ? "The tree is as it was before" : "The tree could be put back in part only"}; what was written is kept as ${ref}.`;
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    return `The tree could not be put back (${error.message}).`;
  }
}
