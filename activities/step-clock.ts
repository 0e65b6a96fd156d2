import type { Call } from "../contract/activity.js";
import { StepFailure } from "./failure.js";

/** How long work may go on past its grace once it was told to stop, before it is left behind. */
const STUBBORN_MS = 5_000;

/** The step's two timeouts. */
export class StepClock {
  private total: NodeJS.Timeout | undefined;
  private idle: NodeJS.Timeout | undefined;

  constructor(
    private readonly call: Call<unknown>,
    private readonly stopper: AbortController,
  ) {}

  start(): void {
    const { timeoutMs, idleTimeoutMs } = this.call;
    if (timeoutMs) this.total = this.after(timeoutMs, "timed_out", `The step took longer than ${seconds(timeoutMs)}.`);
    if (idleTimeoutMs)
      this.idle = this.after(idleTimeoutMs, "idle_timed_out", `Nothing was heard of the step for ${seconds(idleTimeoutMs)}.`);
  }

  alive(): void {
    this.idle?.refresh();
  }

  stop(): void {
    clearTimeout(this.total);
    clearTimeout(this.idle);
  }

  private after(ms: number, type: string, message: string): NodeJS.Timeout | undefined {
    if (ms > MAX_TIMER_MS) return undefined;
    return setTimeout(() => this.stopper.abort(new StepFailure(type, message)), ms);
  }
}

/** Timers of Node reach 24 days; a longer limit is kept by Temporal. */
const MAX_TIMER_MS = 2_147_483_647;

/** The work's own end; or, when it does not heed the signal, the signal's reason some time after it. */
export async function orGiveUp<Value>(work: Promise<Value>, signal: AbortSignal, graceMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  const givenUp = new Promise<never>((_resolve, reject) => {
    abort = () => {
      timer = setTimeout(() => reject(signal.reason), graceMs + STUBBORN_MS);
    };
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    clearTimeout(timer);
    if (abort) signal.removeEventListener("abort", abort);
  }
}

function seconds(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}
