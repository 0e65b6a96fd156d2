import { existsSync } from "node:fs";
import type { Call, Outcome } from "../contract/activity.js";
import type { TreeRef } from "../contract/fact.js";
import { StepFailure } from "./failure.js";
import { type PerformDeps, perform, type Work } from "./perform.js";

/** What activities that work on a run's tree stand on. */
export interface TreeDeps extends PerformDeps {
  /** The tree that a step leaves. */
  snapshotTree?: ((call: Call<unknown>) => Promise<TreeRef | undefined>) | undefined;
  /** Makes the run's tree anew when it is gone. */
  openTree?: ((call: Call<unknown>) => Promise<unknown>) | undefined;
}

/**
 * Do something to the run's tree, by `perform`. The attempt in which the tree is found gone, before or after, fails as
 * `workspace_missing`; the next one makes it anew.
 *
 * @param writes the step may change files or HEAD, so that the tree it leaves is kept.
 */
export function performOnTree<Value>(
  deps: TreeDeps,
  name: string,
  call: Call<unknown>,
  { writes }: { writes: boolean },
  work: (work: Work) => Promise<Value>,
): Promise<Outcome<Value>> {
  const { snapshotTree } = deps;
  const tree = writes && snapshotTree ? () => snapshotTree(call) : undefined;
  return perform(deps, name, call, { tree }, async (given) => {
    if (given.attempt > 1 && !existsSync(call.run.workspace.path)) await deps.openTree?.(call);
    return inTree(call, { writes }, () => work(given));
  });
}

/**
 * What was done to a tree that is gone meanwhile is lost with it, and not done.
 *
 * @throws {StepFailure} `workspace_missing`.
 */
export async function inTree<Value>(
  { run }: Call<unknown>,
  { writes }: { writes: boolean },
  work: () => Promise<Value>,
): Promise<Value> {
  const { path } = run.workspace;
  const gone = (output: unknown, more = "") => {
    const what = `The run's folder ${path} was removed while the step was at work in it, and what it did there with it.`;
    return new StepFailure("workspace_missing", `${what}${more}`, output);
  };
  const wasThere = existsSync(path);
  try {
    const value = await work();
    if (wasThere && writes && !existsSync(path)) throw gone(value);
    return value;
  } catch (error) {
    if (!wasThere || existsSync(path) || !(error instanceof StepFailure) || error.type === "workspace_missing") throw error;
    throw gone(error.output, ` ${error.message}`);
  }
}
