import type { Call, RunRef } from "../contract/activity.js";
import type { Journal } from "./journal.js";
import { Interrupted, type Operation } from "./operation.js";
import { GRACE_MS } from "./sweep.js";

const underWay = new WeakMap<Journal, Map<string, Operation>>();

/** What is under way in this process, by the names of the journal. */
export function operationsOf(journal: Journal): Map<string, Operation> {
  const operations = underWay.get(journal) ?? new Map<string, Operation>();
  underWay.set(journal, operations);
  return operations;
}

/**
 * End what executions of a run before its restore are still at, in this process. Resolves when they have come to an end, or after twice
 * the grace.
 *
 * @param count of the run's restores.
 */
export async function endEarlier(
  { journal, graceMs = GRACE_MS }: { journal: Journal; graceMs?: number | undefined },
  run: RunRef,
  count: number,
): Promise<void> {
  const earlier = [...operationsOf(journal).values()].filter(
    ({ call }) =>
      (call.run.run_id === run.run_id || call.run.workspace.path === run.workspace.path) &&
      (call.run.workspace.restored ?? 0) < count,
  );
  for (const { stopper } of earlier) stopper.abort(new Interrupted("The run was restored to what it was before."));
  const ended = Promise.all(earlier.map(({ result }) => result?.catch(() => undefined)));
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2 * graceMs).unref())]);
}

/** Whether other steps of the run were under way at some time while this one was: the tree that it leaves is not its alone. */
export function sharesTree(journal: Journal, { step }: Call<unknown>): boolean {
  return [...operationsOf(journal).values()].some((operation) => operation.call.step.id === step.id && operation.shared);
}
