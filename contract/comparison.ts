import { z } from "zod";
import { Id } from "./id.js";
import { RunStatus } from "./run.js";
import { StepKind, StepStatus } from "./step.js";
import { Usage } from "./usage.js";

/** A step as one of two runs did it. */
export const ComparedSide = z.object({
  id: Id,
  step_number: z.int(),
  name: z.string(),
  kind: StepKind,
  status: StepStatus,
  attempt: z.int(),
  duration_ms: z.int().nullable(),
  usage: Usage.nullable(),
});
export type ComparedSide = z.infer<typeof ComparedSide>;

/** Two values; `paths` where they differ, fifty at most, "" for the whole. */
export const Difference = z.object({ equal: z.boolean(), paths: z.array(z.string()) });
export type Difference = z.infer<typeof Difference>;

/** What both runs made of one step: of the same key, done for the same time. Null: that run has none such. */
export const ComparedStep = z.object({
  step_id: z.string(),
  iteration: z.int(),
  a: ComparedSide.nullable(),
  b: ComparedSide.nullable(),
  /** Null where only one has it. */
  output: Difference.nullable(),
});
export type ComparedStep = z.infer<typeof ComparedStep>;

const Totals = {
  /** From its beginning to its end; null while it is open. */
  duration_ms: z.int().nullable(),
  /** Its steps' times together. */
  steps_ms: z.int(),
  /** Tokens of all kinds. */
  tokens: z.int().nullable(),
  cost_usd: z.number().nullable(),
};

export const ComparedRun = z.object({
  id: Id,
  name: z.string(),
  status: RunStatus,
  workflow_id: Id,
  workflow_revision: z.int(),
  parent_run_id: z.string().nullable(),
  steps: z.int(),
  ...Totals,
  usage: Usage.nullable(),
  /** The commit that holds the tree it has left so far; null without one. */
  commit_sha: z.string().nullable(),
});
export type ComparedRun = z.infer<typeof ComparedRun>;

export const ComparedFile = z.object({
  path: z.string(),
  /** Where it was in the first run, when it moved. */
  from: z.string().nullable(),
  status: z.enum(["added", "modified", "deleted", "renamed", "copied", "type_changed"]),
  /** Lines; null of a binary file. */
  additions: z.int().nullable(),
  deletions: z.int().nullable(),
});
export type ComparedFile = z.infer<typeof ComparedFile>;

/** What leads from the tree of the first run to that of the second. */
export const TreeDifference = z.object({
  equal: z.boolean(),
  additions: z.int(),
  deletions: z.int(),
  files: z.array(ComparedFile),
  /** As git writes it; null when it was not asked for. */
  patch: z.string().nullable(),
  /** The files or the patch are only the beginning. */
  truncated: z.boolean(),
});
export type TreeDifference = z.infer<typeof TreeDifference>;

/** Two runs beside each other; every difference is the second less the first. */
export const Comparison = z.object({
  a: ComparedRun,
  b: ComparedRun,
  /** Null where one of them has no such number. */
  difference: z.object({ ...Totals, steps_ms: z.int() }),
  input: Difference,
  output: Difference,
  counts: z.object({ same: z.int(), different: z.int(), only_in_a: z.int(), only_in_b: z.int() }),
  /** In the order of the first run, then those that only the second has; ten thousand of each run at most. */
  steps: z.array(ComparedStep),
  tree: TreeDifference.nullable(),
  /** Why there is no difference of trees. */
  tree_problem: z.string().nullable(),
});
export type Comparison = z.infer<typeof Comparison>;

/** Whether both did it, with the same end and the same output. */
export function isSame({ a, b, output }: ComparedStep): boolean {
  return a !== null && b !== null && a.status === b.status && (output?.equal ?? false);
}
