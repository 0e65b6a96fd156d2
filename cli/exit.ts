import type { RunStatus } from "../contract/run.js";

/** What the program ends with. */
export const EXIT = {
  ok: 0,
  /** The run failed or took too long, or what was asked for cannot be done now. */
  failed: 1,
  /** The command, its options or the run's input are not right. */
  usage: 2,
  notFound: 3,
  /** Nothing answers, it is not ready, or it does not let us in. */
  noConnection: 4,
  cancelled: 5,
  /** `--timeout` was over before the run was. */
  timeout: 124,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

/** A sentence for the reader, and the code to end with. */
export class CliError extends Error {
  override readonly name = "CliError";

  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** How a command ends that followed a run to where it is now. */
export function exitOf(status: RunStatus): number {
  if (status === "cancelled") return EXIT.cancelled;
  return status === "failed" || status === "timed_out" ? EXIT.failed : EXIT.ok;
}
