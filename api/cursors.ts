import type { Request } from "express";
import { InvalidError } from "../contract/errors.js";
import type { EventCursor } from "../db/events.js";

/** Instead of a cursor: from what comes next on. */
export const LATEST = "latest";

const MOST_XID = 2n ** 64n;

/**
 * Where a stream goes on: after `Last-Event-ID`, which a browser sends as it comes again, else after `?after=`.
 * Null for the whole stream.
 */
export function askedPlace(req: Request, after: string | undefined): { text: string; path: string } | null {
  const last = req.get("Last-Event-ID");
  if (last !== undefined && last !== "") return { text: last, path: "Last-Event-ID" };
  return after === undefined ? null : { text: after, path: "after" };
}

/** @throws {InvalidError} when it is no number that this run's stream has given out. */
export function seqCursor({ text, path }: { text: string; path: string }, lastSeq: number): number {
  const seq = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seq <= lastSeq)) throw notACursor(path);
  return seq;
}

/** `<xid8>-<id>`. @throws {InvalidError} for anything else. */
export function placeCursor({ text, path }: { text: string; path: string }): EventCursor {
  const [, xid = "", id = ""] = /^(\d{1,20})-(\d{1,15})$/.exec(text) ?? [];
  if (xid === "" || BigInt(xid) >= MOST_XID) throw notACursor(path);
  return { xid, id: Number(id) };
}

export function placeText({ xid, id }: EventCursor): string {
  return `${xid}-${id}`;
}

function notACursor(path: string): InvalidError {
  return new InvalidError("The cursor is not one that this stream gave out.", [
    { path, message: "is not a cursor of this stream" },
  ]);
}
