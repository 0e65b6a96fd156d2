import { useSyncExternalStore } from "react";
import { EventType } from "../contract/event.js";
import { known } from "./client.js";
import { refreshRuns } from "./runs/run-lists.js";

/** Milliseconds within which changes are fetched together. */
const TOGETHER = 200;
/** Milliseconds before a stream that the server refused is asked for again. */
const AGAIN = 2_000;

export type Connection = "connecting" | "live" | "lost";

/**
 * The stream of all runs' events. An event only says what to look at again: what is shown is always a row as the API gives it, so
 * that nothing on the page goes back to what it was before.
 */
class Live {
  private connection: Connection = "connecting";
  private last = "latest";
  private readonly changed = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly watchers = new Set<() => void>();

  start(): void {
    const stream = new EventSource(`/api/events?after=${encodeURIComponent(this.last)}`);
    stream.onopen = () => {
      // What was missed comes from the stream; what came before the first event of it does not.
      if (this.connection === "lost") void known.invalidateQueries();
      this.become("live");
    };
    stream.onerror = () => {
      this.become("lost");
      if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      setTimeout(() => this.start(), AGAIN);
    };
    for (const type of EventType.options) stream.addEventListener(type, (event) => this.take(event));
  }

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  now = (): Connection => this.connection;

  private take({ data, lastEventId }: MessageEvent<string>): void {
    this.last = lastEventId;
    this.changed.add(JSON.parse(data).run_id);
    this.timer ??= setTimeout(() => this.refresh(), TOGETHER);
  }

  private refresh(): void {
    this.timer = undefined;
    const ids = [...this.changed];
    this.changed.clear();
    for (const id of ids) void known.invalidateQueries({ queryKey: ["run", id] });
    void refreshRuns(ids);
  }

  private become(connection: Connection): void {
    this.connection = connection;
    for (const tell of this.watchers) tell();
  }
}

export const live = new Live();

export function useConnection(): Connection {
  return useSyncExternalStore(live.watch, live.now);
}
