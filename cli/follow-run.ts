import { setTimeout as delay } from "node:timers/promises";
import { isFinished, RunStatus } from "../contract/run.js";
import type { LiveEvent, LonghaulClient } from "../sdk/client.js";
import { readRun } from "./find-run.js";
import { isPassing, PATIENCE } from "./patience.js";

export interface Following {
  /** Only events after this one. @default 0 */
  after?: number;
  signal: AbortSignal;
  /** Told when the connection is lost, and when it is there again. */
  onLost?: (() => void) | undefined;
  onBack?: (() => void) | undefined;
}

const FIRST_WAIT = 200;
const LONGEST_WAIT = 3_000;

/**
 * A run's events to its end, each once, however often the connection is lost or the server restarted; what is told live
 * meanwhile is not told again.
 *
 * @throws {UnreachableError} when nothing answers for ten minutes.
 * @throws {ApiError} when the run is not there, or not any more.
 */
export async function* followRun(client: LonghaulClient, runId: string, following: Following): AsyncGenerator<LiveEvent> {
  const { signal, onLost, onBack } = following;
  let seen = following.after ?? 0;
  let lostAt: number | undefined;
  for (let wait = FIRST_WAIT; ; wait = Math.min(LONGEST_WAIT, wait * 2)) {
    try {
      let ended = true;
      for await (const event of client.events(runId, { after: seen, signal })) {
        if (lostAt !== undefined) onBack?.();
        lostAt = undefined;
        wait = FIRST_WAIT;
        if (event.seq !== undefined) {
          seen = event.seq;
          ended = isEnd(event);
        }
        yield event;
      }
      // A server that stops ends its streams, too.
      if (ended && isFinished((await readRun(client, runId)).status)) return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw error;
      if (lostAt === undefined) onLost?.();
      lostAt ??= Date.now();
      if (Date.now() - lostAt > PATIENCE) throw error;
    }
    await delay(wait, undefined, { signal });
  }
}

function isEnd({ type, data }: LiveEvent): boolean {
  const status = RunStatus.safeParse(data.status);
  return type === "workflow.execution.status_changed" && status.success && isFinished(status.data);
}
