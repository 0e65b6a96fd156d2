import type { Logger } from "pino";
import type { Fact } from "../contract/fact.js";
import { type Database, isOutOfTime, isUnavailable } from "../db/database.js";
import { applyFacts, applyTogether } from "../db/projection.js";

/** The first facts after a silence are written once the step that they tell of has begun, those that follow together after `BATCH_MS`. */
const FIRST_MS = 30;
const BATCH_MS = 200;
/** Between looks at runs that are being seen to alone. */
const ALONE_MS = 5;
/** Each run that has told something of late adds this to everybody's wait, up to a second. */
const SHARE_MS = 20;
const LONGEST_MS = 1_000;
const OF_LATE_MS = 3_000;
/** Facts of one run, and about as many of all, in one transaction. */
const BATCH_FACTS = 500;
const BATCH_FACTS_OF_ALL = 2_000;
const QUIET_MS = 500;
/** Runs that tell at the same time and are no burden yet. */
const FEW_RUNS = 8;

export interface WriterOptions {
  db: Database;
  /** All facts of a Temporal execution up to now, by a replay: the answer to a gap. */
  replay: (runId: string, execution: string) => Promise<Fact[]>;
  /** Called with what was written, in order. */
  onWritten: (runId: string, facts: readonly Fact[]) => void;
  /** Called with an execution that Temporal's own reset has made of a run. Nothing of what it tells is written. */
  onStray?: (runId: string, execution: string) => void;
  log: Logger;
}

/** What an execution has told and is not written. */
interface Queue {
  runId: string;
  execution: string;
  facts: Fact[];
  /** Some were taken from it and are being written. */
  busy: boolean;
  /** Facts 1..told are written, as far as this writer has done it. */
  told: number;
  lastTold: number;
  /** Called when what was taken is written. */
  waiting: (() => void)[];
}

interface Taken {
  queue: Queue;
  runId: string;
  execution: string;
  facts: Fact[];
}

/**
 * Takes facts from the sink and writes them to Postgres, in order execution by execution, those of all runs together: what a
 * write costs is the same for one run and for fifty.
 *
 * With Postgres away it waits and tries again: facts stay in memory, and what a dying worker loses is told
 * again by replay. A run that cannot be written like the others, or has a gap, is seen to alone and delays nobody.
 */
export class NarrationWriter {
  private readonly queues = new Map<string, Queue>();
  private stopped = false;
  private lastTold = 0;
  private lastWritten = 0;
  private isWriting = false;
  /** Someone waits for what was told: no more waiting for further facts. */
  private hurried = false;
  /** Ends the wait for more facts. */
  private endWait = () => {};

  constructor(private readonly options: WriterOptions) {}

  /** Nothing was told for a while: work that can wait is in nobody's way. */
  get isQuiet(): boolean {
    return Date.now() - this.lastTold > QUIET_MS;
  }

  /** Many runs are telling at the same time: work that can wait would be in their way. */
  get isBusy(): boolean {
    return this.tellingRuns() > FEW_RUNS;
  }

  /** Whether this execution has told something in the last seconds. */
  isTelling(runId: string, execution: string): boolean {
    const queue = this.queues.get(keyOf(runId, execution));
    return queue !== undefined && isOfLate(queue);
  }

  /** Only enqueues: the workflow task that tells it waits for this. */
  tell(fact: Fact): void {
    const { run_id: runId, execution } = fact;
    const key = keyOf(runId, execution);
    const queue = this.queues.get(key) ?? {
      runId,
      execution,
      facts: [],
      busy: false,
      told: 0,
      lastTold: 0,
      waiting: [],
    };
    this.queues.set(key, queue);
    queue.facts.push(fact);
    queue.lastTold = Date.now();
    this.lastTold = queue.lastTold;
    this.wake();
  }

  /**
   * Writes all that was told of this execution so far.
   *
   * @returns how far it is written then: facts 1..n, as far as this writer knows.
   */
  async flushed(runId: string, execution: string): Promise<number> {
    const queue = this.queues.get(keyOf(runId, execution));
    while (queue && isOpen(queue) && !this.stopped) {
      this.hurry();
      await new Promise<void>((resolve) => queue.waiting.push(resolve));
    }
    return queue?.told ?? 0;
  }

  /** Writes all that executions of the run have told so far, but for this one. */
  async flushedBut(runId: string, execution: string): Promise<void> {
    const others = [...this.queues.values()].filter((queue) => queue.runId === runId && queue.execution !== execution);
    await Promise.all(others.map((queue) => this.flushed(runId, queue.execution)));
  }

  /** Write what there is, for as long as `limitMs` allows. */
  async stop(limitMs: number): Promise<void> {
    const all = [...this.queues.values()].map(({ runId, execution }) => this.flushed(runId, execution));
    await Promise.race([Promise.all(all), pause(limitMs)]);
    this.stopped = true;
    for (const queue of this.queues.values()) release(queue);
  }

  /** Begin to write, unless that is under way or nothing can be written: it is called again when that changes. */
  private wake(): void {
    if (this.isWriting || !this.hasWork()) return;
    this.isWriting = true;
    void this.write();
  }

  private hasWork(): boolean {
    return !this.stopped && [...this.queues.values()].some(isReady);
  }

  private async write(): Promise<void> {
    while (this.hasWork()) {
      await this.gather();
      this.hurried = false;
      await this.writeTogether(this.take());
      this.lastWritten = Date.now();
    }
    this.isWriting = false;
  }

  private hurry(): void {
    this.hurried = true;
    this.endWait();
  }

  /** Wait for the rest of a burst; the longer, the more runs are telling. */
  private async gather(): Promise<void> {
    if (this.hurried) return;
    const wait = Math.min(LONGEST_MS, Math.max(BATCH_MS, this.tellingRuns() * SHARE_MS));
    await new Promise<void>((resolve) => {
      this.endWait = resolve;
      setTimeout(resolve, Math.max(FIRST_MS, this.lastWritten + wait - Date.now())).unref();
    });
  }

  /** Of each run what one of its executions has told, first of those that have waited longest. */
  private take(): Taken[] {
    const taken: Taken[] = [];
    const runs = new Set([...this.queues.values()].filter(({ busy }) => busy).map(({ runId }) => runId));
    let count = 0;
    for (const [key, queue] of [...this.queues]) {
      if (!isOpen(queue) && !isOfLate(queue)) this.queues.delete(key);
      if (!isReady(queue) || runs.has(queue.runId) || count >= BATCH_FACTS_OF_ALL) continue;
      this.queues.delete(key);
      this.queues.set(key, queue);
      queue.busy = true;
      const { runId, execution } = queue;
      const facts = queue.facts.splice(0, BATCH_FACTS);
      taken.push({ queue, runId, execution, facts });
      runs.add(runId);
      count += facts.length;
    }
    return taken;
  }

  private async writeTogether(taken: readonly Taken[]): Promise<void> {
    if (taken.length === 0) return pause(ALONE_MS); // only runs that are being seen to alone
    for (let delay = 100; !this.stopped; delay = longer(delay)) {
      try {
        const results = await applyTogether(this.options.db, taken);
        for (const [i, one] of taken.entries()) {
          const { told = 0, gap = true, stray = false } = results[i] ?? {};
          if (stray) this.options.onStray?.(one.runId, one.execution);
          if (gap) void this.writeAlone(one);
          else this.written(one, told);
        }
        return;
      } catch (error) {
        if (!isUnavailable(error) || isOutOfTime(error)) {
          for (const one of taken) void this.writeAlone(one);
          return;
        }
        this.warn(taken[0], error, delay);
        await pause(delay);
      }
    }
  }

  private async writeAlone(one: Taken): Promise<void> {
    const { runId, execution, facts } = one;
    const { db, replay } = this.options;
    for (let delay = 100; !this.stopped; delay = longer(delay)) {
      try {
        let { told, gap } = await applyFacts(db, runId, execution, facts);
        if (gap) {
          await applyFacts(db, runId, execution, await replay(runId, execution));
          ({ told, gap } = await applyFacts(db, runId, execution, facts));
        }
        return this.written(one, told);
      } catch (error) {
        this.warn(one, error, delay);
        await pause(delay);
      }
    }
  }

  private written({ queue, runId, facts }: Taken, told: number): void {
    this.options.onWritten(runId, facts);
    queue.told = told;
    queue.busy = false;
    release(queue);
    this.wake();
  }

  private tellingRuns(): number {
    return [...this.queues.values()].filter(isOfLate).length;
  }

  private warn(one: Taken | undefined, error: unknown, retryMs: number): void {
    const about = { run: one?.runId, error: String(error), retry_in_ms: retryMs };
    this.options.log.warn(about, "what was told is not written yet");
  }
}

function isReady({ facts, busy }: Queue): boolean {
  return facts.length > 0 && !busy;
}

function isOpen({ facts, busy }: Queue): boolean {
  return facts.length > 0 || busy;
}

function isOfLate({ lastTold }: Queue): boolean {
  return Date.now() - lastTold < OF_LATE_MS;
}

function release(queue: Queue): void {
  for (const done of queue.waiting.splice(0)) done();
}

function keyOf(runId: string, execution: string): string {
  return `${runId}/${execution}`;
}

function longer(delay: number): number {
  return Math.min(delay * 2, 2_000);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
