import { z } from "zod";
import { Id } from "./id.js";
import { Time } from "./time.js";

/**
 * What is kept for a while only, of runs that have finished. `checkpoints`: rows, files and refs. `trees`: worktrees, clones
 * and the agents' own folders. `logs`: what steps printed. `runs`: runs with all below them.
 */
export const RetentionKind = z.enum(["checkpoints", "trees", "logs", "runs"]);
export type RetentionKind = z.infer<typeof RetentionKind>;

/** Days after a run's end; null: for ever. */
export const KeepDays = z.int().min(0).max(36_500).nullable();
export const Retention = z.object({ checkpoints: KeepDays, trees: KeepDays, logs: KeepDays, runs: KeepDays });
export type Retention = z.infer<typeof Retention>;

/** Checkpoints as long as the documents want it; trees twice as long, so that nobody who looks at one finds it without its checkpoints gone first; logs, which are most of the database, a quarter. */
export const DEFAULT_RETENTION: Retention = { checkpoints: 7, trees: 14, logs: 90, runs: null };

export const Pruned = z.object({
  kind: RetentionKind,
  run_id: Id,
  name: z.string(),
  ended_at: Time,
  /** Checkpoints, pieces of output, or folders. */
  count: z.int(),
  /** Null where it was not measured. */
  size_bytes: z.int().nullable(),
  /** Refs under which stays what no branch has: commits, and what was not committed. */
  kept_refs: z.array(z.string()),
  /** Why it is still there, when it could not be removed. */
  problem: z.string().nullable(),
});
export type Pruned = z.infer<typeof Pruned>;

export const PruneReport = z.object({
  /** Nothing was removed: it is what would be. */
  dry_run: z.boolean(),
  /** What was gone by, in days. */
  keep: Retention,
  totals: z.array(z.object({ kind: RetentionKind, runs: z.int(), count: z.int(), size_bytes: z.int() })),
  items: z.array(Pruned),
  /** Old enough, and kept all the same. */
  kept: z.array(z.object({ kind: RetentionKind, run_id: Id, reason: z.string() })),
  /** There is more than is done at once: prune again. */
  more: z.boolean(),
});
export type PruneReport = z.infer<typeof PruneReport>;
