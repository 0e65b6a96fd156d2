import { z } from "zod";
import { Id } from "./id.js";
import { RunStatus } from "./run.js";

export const BulkAction = z.enum(["pause", "resume", "cancel", "retry"]);
export type BulkAction = z.infer<typeof BulkAction>;

/** More runs are not done at once. */
export const MOST_IN_BULK = 1_000;

/** One run that an action fits, and what became of it. */
export const BulkRun = z.object({
  id: Id,
  name: z.string(),
  /** As it was found. */
  status: RunStatus,
  /** `would` of a dry run; `asked`: it ends, and has something running still; `differs`: it had changed meanwhile. */
  outcome: z.enum(["would", "done", "asked", "differs"]),
  /** What differs. */
  code: z.string().nullable(),
  message: z.string().nullable(),
});
export type BulkRun = z.infer<typeof BulkRun>;

/** What an action on many runs would do, or has done. */
export const BulkResult = z.object({
  action: BulkAction,
  dry_run: z.boolean(),
  /** Runs that the filter finds. */
  matched: z.int(),
  /** Of those, runs that the action fits. */
  count: z.int(),
  /** For how many it was done or asked; 0 of a dry run. */
  done: z.int(),
  /** Those that it fits, the oldest first. */
  runs: z.array(BulkRun),
});
export type BulkResult = z.infer<typeof BulkResult>;
