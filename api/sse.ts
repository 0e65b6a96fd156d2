import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Request, Response } from "express";
import { PROGRESS, type RunEvent } from "../contract/event.js";
import { isUnavailable } from "../db/database.js";
import type { Progress } from "../db/log-lines.js";
import type { EventFeed } from "./event-feed.js";

/** Milliseconds between two signs of life. */
const PING = 15_000;
/** Milliseconds after which a client that takes nothing is dropped; it comes again with the last id it saw. */
const DRAIN_PATIENCE = 30_000;
/** Bytes not yet taken by a client above which live output is left out for it. */
const PROGRESS_CAP = 65_536;

/** A piece of a stream: its events with their cursors, and whether there is more at once, or never again. */
export interface Piece {
  events: { id: string; event: RunEvent }[];
  more: boolean;
  ended: boolean;
}

/** What is streamed: the topic that wakes it, and how it is read from a place on. */
export interface EventSource {
  topic: string;
  read(after: string): Promise<Piece>;
}

/**
 * Send events after a cursor as they come, until the stream ends, the client goes, or, without `follow`, until there
 * are no more for now. Every client reads from Postgres at its own place, so that none can miss or get twice what
 * others get; those at the same place share one read.
 */
export async function streamEvents(
  feed: EventFeed,
  source: EventSource,
  { req, res, after, follow }: { req: Request; res: Response; after: string; follow: boolean },
): Promise<void> {
  const gone = new AbortController();
  res.once("close", () => gone.abort());
  const following = feed.follow(source.topic, (pieces) => tellProgress(res, pieces), gone.signal);
  let seen = following.wakes();
  let ping: NodeJS.Timeout | undefined;
  try {
    // The first read may still fail with a status.
    const first = await source.read(after);
    res.writeHead(200, {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no",
    });
    res.flushHeaders();
    if (req.method !== "HEAD") {
      ping = setInterval(() => res.write(": ping\n\n"), PING);
      await pump(first);
    }
    res.end();
  } finally {
    clearInterval(ping);
    following.close();
  }

  async function pump(first: Piece): Promise<void> {
    let place = after;
    let piece = first;
    while (!gone.signal.aborted && !feed.stopped) {
      if (piece.events.length > 0) res.write(piece.events.map(frame).join(""));
      place = piece.events.at(-1)?.id ?? place;
      if (!(await drained(res, gone.signal))) return;
      if (piece.ended || (!piece.more && !follow)) return;
      if (!piece.more) await following.wait(seen, PING);
      if (gone.signal.aborted || feed.stopped) return;
      seen = following.wakes();
      piece = await readAgain(place);
    }
  }

  /** With Postgres away the stream waits, and goes on where it was. */
  async function readAgain(place: string): Promise<Piece> {
    try {
      return await following.shared(place, () => source.read(place));
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      await delay(1000, undefined, { signal: gone.signal }).catch(() => {});
      return { events: [], more: true, ended: false };
    }
  }
}

/** Wait until the client has taken what was written. Says no, and drops the client, when it is gone or takes nothing. */
async function drained(res: Response, gone: AbortSignal): Promise<boolean> {
  if (!res.writableNeedDrain) return !gone.aborted;
  try {
    await once(res, "drain", { signal: AbortSignal.any([gone, AbortSignal.timeout(DRAIN_PATIENCE)]) });
    return true;
  } catch {
    res.destroy();
    return false;
  }
}

function tellProgress(res: Response, pieces: Progress[]): void {
  if (!res.headersSent) return;
  for (const { at, ...data } of pieces) {
    if (res.writableLength > PROGRESS_CAP) return;
    const told = { type: PROGRESS, run_id: data.execution_id, at, data };
    res.write(`event: ${PROGRESS}\ndata: ${JSON.stringify(told)}\n\n`);
  }
}

/** One line of JSON: nothing that is told can end its frame or begin another. */
function frame({ id, event }: { id: string; event: RunEvent }): string {
  const { type, run_id, seq, at, data } = event;
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify({ type, run_id, seq, at, data })}\n\n`;
}
