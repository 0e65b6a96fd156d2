import type { Logger } from "pino";
import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { applyFacts } from "../db/projection.js";

/** Facts of a burst are written together; a reader waits at most this long for them. */
const BATCH_MS = 20;
const BATCH_FACTS = 500;

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

  constructor(private readonly options: WriterOptions) {}

  /** Only enqueues: the workflow task that tells it waits for this. */
  tell(fact: Fact): void {
    const key = keyOf(fact.run_id, fact.execution);
    const queue = this.queues.get(key) ?? { facts: [], draining: undefined };
    this.queues.set(key, queue);
    queue.facts.push(fact);
    queue.draining ??= this.drain(key, queue);
  }

  /** Resolves when all that was told of this execution so far is written. */
  async flushed(runId: string, execution: string): Promise<void> {
    await this.queues.get(keyOf(runId, execution))?.draining;
  }

  /** Write what there is, for as long as `limitMs` allows. */
  async stop(limitMs: number): Promise<void> {
    const draining = Promise.all([...this.queues.values()].map((queue) => queue.draining));
    await Promise.race([draining, pause(limitMs)]);
    this.stopped = true;
  }

  private async drain(key: string, queue: Queue): Promise<void> {
    await pause(BATCH_MS);
    while (queue.facts.length > 0 && !this.stopped) {
      const batch = queue.facts.splice(0, BATCH_FACTS);
      await this.write(batch);
    }
    queue.draining = undefined;
    if (queue.facts.length > 0 && !this.stopped) queue.draining = this.drain(key, queue);
    else this.queues.delete(key);
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
