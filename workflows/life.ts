import { CancellationScope, condition, isCancellation, sleep } from "@temporalio/workflow";
import type { Request } from "../contract/messages.js";
import type { RunStatus, WaitingFor } from "../contract/run.js";
import type { Narrator } from "./narrator.js";

/**
 * Whether a run goes on, waits or is paused, and how much of its running time is left.
 *
 * A run is `waiting` when nothing of it runs and something waits. The time limit counts running time alone:
 * its timer stands still while the run is paused or waits.
 */
export class Life {
  private status: RunStatus = "pending";
  private paused = false;
  private running = 0;
  private readonly waits = new Map<string, WaitingFor>();
  private clock: CancellationScope | undefined;
  private clockStarted = 0;
  private left: number;

  constructor(
    private readonly narrator: Narrator,
    timeoutMs: number,
    private readonly onTimeout: () => void,
  ) {
    this.left = timeoutMs;
  }

  start(): void {
    this.settle();
  }

  /** Stop the clock: the run ends. */
  end(): void {
    this.status = "completed";
    this.stopClock();
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** Resolves at once, or when the run is resumed. */
  async gate(): Promise<void> {
    if (this.paused) await condition(() => !this.paused);
  }

  pause(request: Request): void {
    if (this.paused) return;
    this.paused = true;
    this.settle(request);
  }

  resume(request: Request): void {
    if (!this.paused) return;
    this.paused = false;
    this.settle(request);
  }

  /** Something is being done until the returned function is called. */
  busy(): () => void {
    this.running++;
    this.settle();
    return once(() => {
      this.running--;
      this.settle();
    });
  }

  /** Something waits until the returned function is called. */
  waiting(key: string, what: WaitingFor): () => void {
    this.waits.set(key, what);
    this.settle();
    return once(() => {
      this.waits.delete(key);
      this.settle();
    });
  }

  private settle(request?: Request): void {
    if (this.status === "completed") return;
    const [first] = this.waits.values();
    const waits = !this.paused && this.running === 0 ? first : undefined;
    const next: RunStatus = this.paused ? "paused" : waits ? "waiting" : "running";
    if (next === this.status) return;

    this.status = next;
    this.narrator.tell({
      type: "run.status",
      status: next,
      waiting_for: waits ?? null,
      ...(request ? { request: request.id } : {}),
      ...(request?.reason ? { reason: request.reason } : {}),
    });
    if (next === "running") this.startClock();
    else this.stopClock();
  }

  private startClock(): void {
    if (this.left <= 0 || this.clock) return;
    const clock = new CancellationScope();
    this.clock = clock;
    this.clockStarted = Date.now();
    clock
      .run(() => sleep(this.left, { summary: "time limit of the run" }))
      .then(this.onTimeout)
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
  }

  private stopClock(): void {
    if (!this.clock) return;
    this.left = Math.max(1, this.left - (Date.now() - this.clockStarted));
    this.clock.cancel();
    this.clock = undefined;
  }
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
