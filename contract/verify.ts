import { z } from "zod";

/**
 * What must be so after an agent's turn. Longhaul looks at it in the run's tree:
 *
 * - `tree_changed`: a file differs from before the turn, or a commit was made. Ignored files do not count.
 * - `file_exists`: something is at this path, which is relative to the run's tree and inside it.
 * - `command`: bash exits with 0. `env` holds the values of its references. `timeout_ms` in milliseconds, @default 600000.
 * - `branch_pushed`: the remote `origin` has this branch (`true`: the one that is checked out) at the tree's HEAD.
 */
export const Check = z.union([
  z.strictObject({ tree_changed: z.literal(true) }),
  z.strictObject({ file_exists: z.string().min(1) }),
  z.strictObject({
    command: z.string().min(1),
    env: z.record(z.string(), z.string()).optional(),
    timeout_ms: z.number().min(1).optional(),
  }),
  z.strictObject({ branch_pushed: z.union([z.literal(true), z.string().min(1)]) }),
]);
export type Check = z.infer<typeof Check>;

/** How a check went. */
export interface CheckResult {
  /** Its word and what it is about: `command: npm test`. */
  check: string;
  ok: boolean;
  /** What was there instead, when it does not hold. */
  seen?: string;
}
