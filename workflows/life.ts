import { condition } from "@temporalio/workflow";
import type { LifeState, PauseHold } from "../contract/continuation.js";
import type { Request } from "../contract/messages.js";
import type { RunStatus, WaitingFor } from "../contract/run.js";
import { Clock } from "./clock.js";
import type { Narrator } from "./narrator.js";

/**
 * Whether a run goes on, waits or is paused, and how much of its running time is left.
 *
 * A run is `waiting` when nothing of it runs and something waits. The time limit counts running time alone:
 * its timer stands still while the run is paused or waits. A pause is a person's own or comes from the run above; it is over when both are.
 */
export class Life {
  private status: RunStatus = "pending";
  private told: WaitingFor | undefined;
  private readonly held: Set<PauseHold>;
  private still = false;
  private running = 0;
  private apart = 0;
  private frozen = false;
  private asked: Request | null = null;
  private readonly waits = new Map<string, WaitingFor>();
  private readonly clock: Clock;
  private readonly others = new Set<Clock>();
  /** Called when what is under way is to be stopped. */
  onStill: () => void = () => {};

  /** @param before how the run's execution before this one left it. */
  constructor(
    private readonly narrator: Narrator,
    timeoutMs: number,
    onTimeout: () => void,
    private readonly before?: LifeState,
  ) {
    this.clock = new Clock(before?.left ?? timeoutMs, "time limit of the run", onTimeout);
    this.held = new Set(before?.held);
  }

  /** @param isResuming the program is to come to where it was before: nothing is told until `begin` */
  start({ isResuming = false } = {}): void {
    this.status = this.before?.status ?? "pending"; // as was told
    if (this.status === "running") this.clock.start();
    this.frozen = isResuming;
    this.settle(this.before?.asked ?? undefined);
  }

  /** The program is where it was: what is told from now on is new. */
  begin(): void {
    const [first] = this.waits.values();
    if (first && JSON.stringify(first) === JSON.stringify(this.before?.told)) this.told = first;
    const { asked } = this;
    this.asked = null;
    this.frozen = false;
    this.settle(asked ?? undefined);
  }

  /** Tell nothing more: what is asked now is for the run's next execution to tell. */
  freeze(): void {
    this.frozen = true;
    this.clock.stop();
  }

  /** The run does not pass after all. */
  thaw(): void {
    this.frozen = false;
  }

  /** The run is stopped: what is still to be done waits for nobody, and is told here. */
  lift(): void {
    this.frozen = false;
    this.held.clear();
    this.goOn();
    this.settle();
  }

  /** What the run's next execution needs to go on. */
  handOver(): LifeState {
    const { clock, held, status, asked, told = null } = this;
    return { left: clock.remaining, held: [...held], status, asked, told };
  }

  /** Stop the clock: the run ends. */
  end(): void {
    this.status = "completed";
    this.clock.stop();
  }

  get isPaused(): boolean {
    return this.held.size > 0;
  }

  /** Paused, and nothing that can be stopped goes on meanwhile. */
  get isStill(): boolean {
    return this.still;
  }

  /** Resolves at once, or when the run is resumed. */
  async gate(): Promise<void> {
    if (this.isPaused) await condition(() => !this.isPaused);
  }

  /** With mode `now` what is under way is stopped as well, also when the run was paused before. */
  pause(request: Request): void {
    const isFirst = !this.isPaused;
    this.held.add(request.above ? "above" : "own");
    if (isFirst) this.settle(request);
    if (request.mode !== "now" || this.still) return;
    this.still = true;
    for (const clock of this.others) clock.stop();
    this.onStill();
  }

  /** What the run above has paused it resumes, and no more; a person resumes the run in any case. */
  resume(request: Request): void {
    if (!this.isPaused) return;
    if (request.above) this.held.delete("above");
    else this.held.clear();
    if (this.isPaused) return;
    this.goOn();
    this.settle(request);
  }

  /** A time limit that stands still while nothing of the run goes on. @returns what to call when it does not count any more */
  limit(clock: Clock): () => void {
    this.others.add(clock);
    if (!this.still) clock.start();
    return () => {
      this.others.delete(clock);
      clock.stop();
    };
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

  /** What is waited for under the key. */
  waitOf(key: string): WaitingFor | undefined {
    return this.waits.get(key);
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

  private goOn(): void {
    if (!this.still) return;
    this.still = false;
    for (const clock of this.others) clock.start();
  }

  private settle(request?: Request): void {
    if (this.status === "completed") return;
    if (this.frozen) {
      this.asked = request ?? this.asked;
      return;
    }
    const [first] = this.waits.values();
    const waits = !this.isPaused && this.running === 0 ? first : undefined;
    const next: RunStatus = this.isPaused ? "paused" : waits ? "waiting" : "running";
    // While all that is done is done apart, the run's own time stands still.
    if (next === "running" && (this.apart === 0 || this.running > this.apart)) this.clock.start();
    else this.clock.stop();
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
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
