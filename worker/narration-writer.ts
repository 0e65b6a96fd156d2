import type { Logger } from "pino";
import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { applyFacts } from "../db/projection.js";

/** The first fact of a burst is written at once, those that follow together after this time. */
const BATCH_MS = 200;
const FIRST_MS = 5;
/** Each run that has told something of late adds this to everybody's wait. */
const SHARE_MS = 50;
const OF_LATE_MS = 3_000;
const BATCH_FACTS = 500;
const QUIET_MS = 500;

export interface WriterOptions {
  db: Database;
  /** All facts of a Temporal execution up to now, by a replay: the answer to a gap. */
  replay: (runId: string, execution: string) => Promise<Fact[]>;
  /** Called with what was written, in order. */
  onWritten: (runId: string, facts: readonly Fact[]) => void;
  log: Logger;
}

interface Queue {
  facts: Fact[];
  draining: Promise<void> | undefined;
  /** When facts of this execution were last written. */
  written: number;
  /** Someone waits for what was told: no more waiting for further facts until all is written. */
  hurried: boolean;
  /** Ends the wait for more facts. */
  hurry: () => void;
  /** Forgets the queue once nothing more is told. */
  expiry: NodeJS.Timeout | undefined;
}

/**
 * Takes facts from the sink and writes them to Postgres, in batches and in order, execution by execution.
 *
 * With Postgres away it waits and tries again: facts stay in memory, and what a dying worker loses is told
 * again by replay.
 */
export class NarrationWriter {
  private readonly queues = new Map<string, Queue>();
  private stopped = false;
  private lastTold = 0;

  constructor(private readonly options: WriterOptions) {}

  /** Nothing was told for a while: work that can wait is in nobody's way. */
  get isQuiet(): boolean {
    return Date.now() - this.lastTold > QUIET_MS;
  }

  /** Whether this execution has told something in the last seconds. */
  isTelling(runId: string, execution: string): boolean {
    return this.queues.has(keyOf(runId, execution));
  }

  /** Only enqueues: the workflow task that tells it waits for this. */
  tell(fact: Fact): void {
    this.lastTold = Date.now();
    const key = keyOf(fact.run_id, fact.execution);
    const queue = this.queues.get(key) ?? {
      facts: [],
      draining: undefined,
      written: 0,
      hurried: false,
      hurry: () => {},
      expiry: undefined,
    };
    this.queues.set(key, queue);
    clearTimeout(queue.expiry);
    queue.facts.push(fact);
    queue.draining ??= this.drain(key, queue);
  }

  /** Writes all that was told of this execution so far; resolves when that is done. */
  async flushed(runId: string, execution: string): Promise<void> {
    const queue = this.queues.get(keyOf(runId, execution));
    if (!queue?.draining) return;
    queue.hurried = true;
    queue.hurry();
    await queue.draining;
  }

  /** Write what there is, for as long as `limitMs` allows. */
  async stop(limitMs: number): Promise<void> {
    const queues = [...this.queues.values()];
    for (const queue of queues) {
      queue.hurried = true;
      queue.hurry();
    }
    await Promise.race([Promise.all(queues.map((queue) => queue.draining)), pause(limitMs)]);
    this.stopped = true;
  }

  private async drain(key: string, queue: Queue): Promise<void> {
    while (queue.facts.length > 0 && !this.stopped) {
      await this.gather(queue);
      await this.write(queue.facts.splice(0, BATCH_FACTS));
      queue.written = Date.now();
    }
    queue.draining = undefined;
    queue.hurried = false;
    queue.expiry = setTimeout(() => this.queues.delete(key), OF_LATE_MS).unref();
  }

  /** Wait for the rest of a burst; the longer, the more runs are telling. */
  private async gather(queue: Queue): Promise<void> {
    if (queue.hurried) return;
    const due = queue.written + Math.max(BATCH_MS, this.queues.size * SHARE_MS) - Date.now();
    await new Promise<void>((resolve) => {
      queue.hurry = resolve;
      setTimeout(resolve, Math.max(FIRST_MS, due)).unref();
    });
  }

  private async write(batch: Fact[]): Promise<void> {
    const { db, replay, onWritten, log } = this.options;
    const [{ run_id, execution }] = batch as [Fact];
    for (let delay = 100; !this.stopped; delay = Math.min(delay * 2, 2_000)) {
      try {
        const { gap } = await applyFacts(db, run_id, execution, batch);
        if (gap) {
          const facts = await replay(run_id, execution);
          await applyFacts(db, run_id, execution, facts);
          await applyFacts(db, run_id, execution, batch);
        }
        break;
      } catch (error) {
        log.warn({ run: run_id, error: String(error), retry_in_ms: delay }, "what was told is not written yet");
        await pause(delay);
      }
    }
    onWritten(run_id, batch);
  }
}

function keyOf(runId: string, execution: string): string {
  return `${runId}/${execution}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
