import { CancellationScope, condition, isCancellation, sleep } from "@temporalio/workflow";
import type { LifeState } from "../contract/continuation.js";
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
  private told: WaitingFor | undefined;
  private paused = false;
  private running = 0;
  private apart = 0;
  private frozen = false;
  private asked: Request | null = null;
  private readonly waits = new Map<string, WaitingFor>();
  private clock: CancellationScope | undefined;
  private clockStarted = 0;
  private left: number;

  /** @param before how the run's execution before this one left it. */
  constructor(
    private readonly narrator: Narrator,
    timeoutMs: number,
    private readonly onTimeout: () => void,
    private readonly before?: LifeState,
  ) {
    this.left = before?.left ?? timeoutMs;
    this.paused = before?.paused ?? false;
  }

  start(): void {
    this.status = this.before?.status ?? "pending"; // as was told
    if (this.status === "running") this.startClock();
    this.settle(this.before?.asked ?? undefined);
  }

  /** Tell nothing more: what is asked now is for the run's next execution to tell. */
  freeze(): void {
    this.frozen = true;
    this.stopClock();
  }

  /** The run is stopped: what is still to be done waits for nobody, and is told here. */
  lift(): void {
    this.frozen = false;
    this.paused = false;
    this.settle();
  }

  /** What the run's next execution needs to go on. */
  handOver(): LifeState {
    const { left, paused, status, asked } = this;
    return { left, paused, status, asked };
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

  /** Something is being done until the returned function is called. `apart`: not in the run's own time. */
  busy({ apart = false }: { apart?: boolean } = {}): () => void {
    this.running++;
    if (apart) this.apart++;
    this.settle();
    return once(() => {
      this.running--;
      if (apart) this.apart--;
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

  /** What is waited for under the key is another by now. Told by whoever changes it: the run waits as it did. */
  waitOn(key: string, change: Partial<WaitingFor>): WaitingFor {
    const before = this.waits.get(key);
    if (!before) throw new Error(`Nothing waits under ${key}.`);
    const what = { ...before, ...change };
    this.waits.set(key, what);
    if (this.told === before) this.told = what;
    return what;
  }

  /** What is being done under the key waits, and does nothing, until the returned function is called. */
  standStill(key: string, what: WaitingFor): () => void {
    this.running--;
    const goOn = this.waiting(key, what);
    return once(() => {
      this.running++;
      goOn();
    });
  }

  private settle(request?: Request): void {
    if (this.status === "completed") return;
    if (this.frozen) {
      this.asked = request ?? this.asked;
      return;
    }
    const [first] = this.waits.values();
    const waits = !this.paused && this.running === 0 ? first : undefined;
    const next: RunStatus = this.paused ? "paused" : waits ? "waiting" : "running";
    // While all that is done is done apart, the run's own time stands still.
    if (next === "running" && (this.apart === 0 || this.running > this.apart)) this.startClock();
    else this.stopClock();
    if (next === this.status && waits === this.told) return;

    this.status = next;
    this.told = waits;
    this.narrator.tell(
      {
        type: "run.status",
        status: next,
        waiting_for: waits ?? null,
        ...(request ? { request: request.id } : {}),
        ...(request?.reason ? { reason: request.reason } : {}),
      },
      request?.at,
    );
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
