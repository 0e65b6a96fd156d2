import type { Context } from "@temporalio/activity";
import type { Call, Outcome } from "../contract/activity.js";
import { StepFailure } from "./failure.js";
import type { Opening } from "./journal.js";

/** The worker or Temporal takes the activity away: it ends without an outcome, and is tried again. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** What Temporal shows of an activity under way. */
export type Heartbeat = Record<string, string | number | null>;

/**
 * Something being done, and the Temporal attempts that wait for it. Usually it is one; a second one comes when the
 * server has lost sight of this worker, which goes on meanwhile: the effect is not begun again, the newcomer joins.
 */
export class Operation {
  readonly stopper = new AbortController();
  result: Promise<{ outcome: Outcome<unknown> } | { failure: Error }> | undefined;
  /** The journal's word on the newest attempt. */
  opening: Promise<Opening> | undefined;

  private beat: Heartbeat = {};
  private readonly waiting = new Set<Context>();
  private orphaned: NodeJS.Timeout | undefined;

  /** Another step of the same run was under way meanwhile. */
  shared = false;
  /** Something else was under way in the same tree meanwhile, be it of the same step. */
  beside = false;

  constructor(
    readonly call: Call<unknown>,
    private readonly heartbeatMs: number,
    /** How long it goes on when no attempt waits for it any more. */
    private readonly orphanMs: number,
  ) {}

  get signal(): AbortSignal {
    return this.stopper.signal;
  }

  /** It begins while the other one is under way. */
  meet(other: Operation): void {
    if (other.call.run.workspace.path === this.call.run.workspace.path) {
      this.beside = true;
      other.beside = true;
    }
    if (other.call.run.run_id !== this.call.run.run_id || other.call.step.id === this.call.step.id) return;
    this.shared = true;
    other.shared = true;
  }

  /** Add to what is told with each heartbeat, and tell it now. */
  tell(more: Heartbeat): void {
    Object.assign(this.beat, more);
    for (const context of this.waiting) context.heartbeat(this.beat);
  }

  /** Wait for it on behalf of an attempt, which is kept alive meanwhile and may cancel it. */
  async join(context: Context): Promise<Outcome<unknown>> {
    clearTimeout(this.orphaned);
    this.waiting.add(context);
    const beating = setInterval(() => context.heartbeat(this.beat), this.heartbeatMs);
    const signal = context.cancellationSignal;
    const cancelled = () => this.leave(context);
    if (signal.aborted) cancelled();
    else signal.addEventListener("abort", cancelled, { once: true });
    try {
      const result = await this.result;
      if (!result) throw new Error("An operation was joined before it began.");
      if ("failure" in result) throw result.failure;
      return result.outcome;
    } finally {
      clearInterval(beating);
      signal.removeEventListener("abort", cancelled);
      this.waiting.delete(context);
    }
  }

  private leave(context: Context): void {
    const word = reasonOf(context);
    this.waiting.delete(context);
    if (word === "CANCELLED") this.stopper.abort(new StepFailure("cancelled", "The step was cancelled."));
    else if (word !== "NOT_FOUND" && word !== "TIMED_OUT")
      this.stopper.abort(new Interrupted(`The worker gave the step up (${word}).`));
    else if (this.waiting.size === 0) {
      const giveUp = () => this.stopper.abort(new Interrupted("Temporal no longer knows this attempt, and sent no other."));
      this.orphaned = setTimeout(giveUp, this.orphanMs).unref();
    }
  }
}

/** What Temporal's detail says where it says something, else the SDK's word. */
function reasonOf(context: Context): string {
  const details = context.cancellationDetails;
  if (details?.cancelRequested) return "CANCELLED";
  if (details?.notFound) return "NOT_FOUND";
  if (details?.timedOut) return "TIMED_OUT";
  if (details?.workerShutdown) return "WORKER_SHUTDOWN";
  if (details?.paused) return "PAUSED";
  if (details?.reset) return "RESET";
  const { reason } = context.cancellationSignal;
  return reason instanceof Error ? reason.message : String(reason);
}
