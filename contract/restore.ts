import type { JsonObject } from "./json.js";

/** From and to, both included: numbers of steps. */
export type StepRange = [first: number, last: number];

/** How a run was taken back to what it was before. */
export interface Restore {
  /** Of the run's restores, counted from 1. */
  count: number;
  /** Id of the request that asked for it. */
  request: string;
  at: string;
  /** Who has asked for it; null: it was done in Temporal itself. */
  by: string | null;
  /** Null: to its beginning. */
  checkpoint_id: string | null;
  /** The steps that stay as they ended. All others that the run has had are superseded. */
  kept: StepRange[];
  /** How many steps the run had had, as far as was known when this was asked for. */
  numbers: number;
  /** The run's state, phase, branch and commit as they were then. */
  state: JsonObject;
  phase: string | null;
  branch_name: string | null;
  commit_sha: string | null;
  /** The tree that the last of the kept steps has left; null: the one that the run began with. */
  tree: { step_number: number; commit: string } | null;
}

/** Whether a step stays as it ended. */
export function isKept(kept: readonly StepRange[], number: number): boolean {
  return kept.some(([first, last]) => first <= number && number <= last);
}

/** The numbers as ranges, in ascending order. */
export function rangesOf(numbers: readonly number[]): StepRange[] {
  const ranges: StepRange[] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && number <= last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

/** How Temporal is asked to start a restored run's execution: in the same moment it ends the one that is under way. */
export function restoredStart(spec: { run_id: string; name: string; workflow_name: string; workflow_revision: number }) {
  return {
    workflowId: spec.run_id,
    workflowIdConflictPolicy: "TERMINATE_EXISTING",
    workflowIdReusePolicy: "ALLOW_DUPLICATE",
    staticSummary: spec.name === spec.workflow_name ? spec.name : `${spec.workflow_name}: ${spec.name}`,
    memo: { run: spec.name, revision: spec.workflow_revision },
  } as const;
}
