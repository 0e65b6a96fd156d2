import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import type { Database } from "../db/database.js";
import { type Progress, progressOf } from "../db/log-lines.js";

/** The topic of all runs together; every other topic is a run's id. */
export const ALL_RUNS = "*";

/** Milliseconds between tries to listen again. */
const RETRY = 500;
/** Milliseconds in which pieces of output gather before they are read. */
const GATHER = 40;

type OnProgress = (pieces: Progress[]) => void;

/** Who follows one topic. */
interface Topic {
  /** Counts wake-ups, so that a read begun before one is never taken for a read begun after it. */
  wakes: number;
  /** How each follower is told that it need not wait any longer. */
  followers: Set<() => void>;
  onProgress: Set<OnProgress>;
  reads: Map<string, Promise<unknown>>;
}

/** A follower's hold on a topic. */
export interface Following {
  /** How often the topic was woken. Look before reading: what is written between that and `wait` is then not missed. */
  wakes(): number;
  /** Until the topic was woken more often than `since`, the time is over, or the follower is gone. */
  wait(since: number, milliseconds: number): Promise<void>;
  /** Read once for all followers that stand at the same place. */
  shared<Result>(place: string, read: () => Promise<Result>): Promise<Result>;
  close(): void;
}

/**
 * Tells streams when there is something new: one LISTEN connection for a whole process, however many follow.
 * After a lost connection everybody is woken, since notices may have been missed.
 */
export class EventFeed {
  private readonly topics = new Map<string, Topic>();
  private readonly stopping = new AbortController();
  private readonly gathered = new Map<string, number[]>();
  private listener: pg.Client | undefined;
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: Database,
    private readonly url: string,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.loop = this.listen();
  }

  get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    for (const topic of this.topics.values()) wake(topic);
    await this.listener?.end().catch(() => {});
    await this.loop;
  }

  follow(name: string, onProgress: OnProgress, gone: AbortSignal): Following {
    const topic = this.topics.get(name) ?? { wakes: 0, followers: new Set(), onProgress: new Set(), reads: new Map() };
    let stopWaiting: (() => void) | undefined;
    const tell = () => stopWaiting?.();
    this.topics.set(name, topic);
    topic.followers.add(tell);
    topic.onProgress.add(onProgress);
    gone.addEventListener("abort", tell, { once: true });
    return {
      wakes: () => topic.wakes,
      wait: async (since, milliseconds) => {
        if (topic.wakes !== since || gone.aborted) return;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds);
          stopWaiting = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        stopWaiting = undefined;
      },
      shared: (place, read) => share(topic, place, read),
      close: () => {
        topic.onProgress.delete(onProgress);
        topic.followers.delete(tell);
        gone.removeEventListener("abort", tell);
        if (topic.followers.size === 0) this.topics.delete(name);
      },
    };
  }

  /** Wake a topic's followers, now or after some milliseconds. */
  wake(name: string, after = 0): void {
    const topic = this.topics.get(name);
    if (!topic) return;
    if (after === 0) wake(topic);
    else setTimeout(() => wake(topic), after).unref();
  }

  private async listen(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.listenOnce();
      } catch (error) {
        if (!signal.aborted) this.log.warn({ err: error }, "Not listening for events just now.");
      }
      await delay(RETRY, undefined, { signal }).catch(() => {});
    }
  }

  /** Until the connection is lost. */
  private async listenOnce(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: "longhaul events",
      connectionTimeoutMillis: 3_000,
      keepAlive: true,
    });
    const lost = new Promise<void>((resolve) => client.once("end", resolve));
    client.on("error", (error) => this.log.warn({ err: error }, "The connection for events broke."));
    client.on("notification", ({ channel, payload = "" }) => this.hear(channel, payload));
    this.listener = client;
    try {
      await client.connect();
      await client.query("listen run_event; listen run_progress");
      for (const topic of this.topics.values()) wake(topic);
      await lost;
    } finally {
      await client.end().catch(() => {});
    }
  }

  private hear(channel: string, payload: string): void {
    if (channel === "run_event") {
      this.wake(payload);
      this.wake(ALL_RUNS);
      return;
    }
    const [runId = "", chunk = ""] = payload.split(":");
    if (!this.topics.has(runId) && !this.topics.has(ALL_RUNS)) return;
    const ids = this.gathered.get(runId);
    if (ids) {
      ids.push(Number(chunk));
    } else {
      this.gathered.set(runId, [Number(chunk)]);
      setTimeout(() => void this.tellProgress(runId), GATHER).unref();
    }
  }

  private async tellProgress(runId: string): Promise<void> {
    const ids = this.gathered.get(runId) ?? [];
    this.gathered.delete(runId);
    try {
      const pieces = await progressOf(this.db, ids);
      for (const name of [runId, ALL_RUNS]) for (const tell of this.topics.get(name)?.onProgress ?? []) tell(pieces);
    } catch (error) {
      // It is live only: the log keeps what was not told.
      this.log.warn({ err: error }, "Output was not told live.");
    }
  }
}

function wake(topic: Topic): void {
  topic.wakes += 1;
  for (const tell of topic.followers) tell();
}

function share<Result>(topic: Topic, place: string, read: () => Promise<Result>): Promise<Result> {
  const key = `${topic.wakes} ${place}`;
  // Every caller of one topic reads the same way, so what is found under the key is of its type.
  const underWay = topic.reads.get(key) as Promise<Result> | undefined;
  if (underWay) return underWay;
  const result = read().finally(() => topic.reads.delete(key));
  topic.reads.set(key, result);
  return result;
}
