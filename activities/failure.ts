import { ApplicationFailure } from "@temporalio/common";
import type { FailureDetail, Trace } from "../contract/activity.js";
import type { RecordedFailure } from "./journal-record.js";

/**
 * The words of what can go wrong in a step: the `type` of the ApplicationFailure that an activity throws.
 * What is none of these keeps its error's own name (`TypeError`, or the `name` of a user's error class).
 *
 * - `shell_failed`: a command exited with another code than 0, or was killed; `output` is what a shell returns.
 * - `timed_out`: the step took longer in all than it may.
 * - `idle_timed_out`: nothing was heard of the step for longer than it may be silent.
 * - `cancelled`: the run, or the scope the step is in, was cancelled; nothing of the step is left running. It crosses the
 *   wire as a CancelledFailure, with the same detail, so that a workflow knows it for what it is.
 * - `outcome_unknown`: a worker was lost while the step ran, and the step says that it must not run again.
 * - `worker_lost`: the worker ended while the step ran. The one that Temporal tries again by itself.
 * - `journal_failed`: nothing was done, for the worker's journal could not be written (its disk is full).
 * - `unverified`: the activity was asked for by something that Longhaul did not sign.
 * - `workspace_missing`: the run's folder is not there.
 * - `invalid_path`: a path leads out of the run's folder, or to what cannot be used.
 * - `invalid_input`: the step was asked for something that makes no sense.
 * - `activity_crashed`: the process of a file's own activities ended under a call.
 * - `activity_missing`: a file's own activities could not be found or loaded.
 *
 * Files of one kind of step may add their own words (`git_…`, `agent_…`) and say so in their docstring.
 */
export type FailureType = string;

/** Thrown inside an activity; `perform` makes of it what crosses the wire. */
export class StepFailure extends Error {
  override readonly name = "StepFailure";

  constructor(
    readonly type: FailureType,
    message: string,
    /** What there was to keep, such as a shell's exit code and last words. */
    readonly output?: unknown,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Any error as it is recorded and reported: type, message, and with a detail that holds the trace.
 * An ApplicationFailure keeps its type and the output of its first detail.
 */
export function describeFailure(error: unknown, trace: Trace): RecordedFailure {
  if (error instanceof StepFailure) {
    return { type: error.type, message: error.message, detail: withOutput(trace, error.output) };
  }
  if (error instanceof ApplicationFailure) {
    const detail = error.details?.[0];
    const output = isRecord(detail) ? detail.output : undefined;
    return { type: error.type ?? "Error", message: error.message, detail: withOutput(trace, output) };
  }
  if (error instanceof Error) return { type: error.name, message: error.message, detail: trace };
  return { type: "Error", message: String(error), detail: trace };
}

/** What Temporal is told. The engine decides about tries, so Temporal may not. */
export function toApplicationFailure({ type, message, detail }: RecordedFailure, cause?: unknown): ApplicationFailure {
  const failure = ApplicationFailure.create({ type, message, nonRetryable: true, details: [detail] });
  if (cause instanceof Error && cause.stack) failure.stack = cause.stack;
  return failure;
}

/** The one that Temporal tries again: the worker ends, and the step with it. */
export function workerLost(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: "worker_lost", message, nonRetryable: false });
}

function withOutput(trace: Trace, output: unknown): FailureDetail {
  return output === undefined ? trace : { ...trace, output };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
