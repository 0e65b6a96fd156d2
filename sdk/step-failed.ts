/** What an awaited step throws when it has failed for good: its retries are used up. */
export class StepFailed extends Error {
  override readonly name = "StepFailed";

  constructor(
    /** The key of the step in the workflow. */
    readonly stepId: string,
    /** What went wrong in a word: `shell_failed`, `timed_out`, `worker_lost`, …; see docs/errors.md. */
    readonly type: string,
    message: string,
    /** What there was to keep: a shell's `{ exitCode, stdout, stderr }`, an agent's answer. */
    readonly output?: unknown,
  ) {
    super(message);
  }
}
