import { InvalidError } from "../contract/errors.js";
import type { Page, PageQuery } from "../contract/page.js";

/** One page of a list. */
export interface Listed<Item> {
  items: Item[];
  page: Page;
}

/** What a list's query must do for a page: skip `offset` rows, and give one row more than asked, to know whether there are others. */
export interface Slice {
  limit: number;
  offset: number;
}

export function sliceOf({ limit, page = 1, cursor }: PageQuery): Slice {
  return { limit: limit + 1, offset: cursor === undefined ? (page - 1) * limit : 0 };
}

/**
 * Cut the extra row off, and name the place of the last one for the next page.
 *
 * @param placeOf the values that order the list, the first most significant.
 */
export function toPage<Row, Item>(
  query: PageQuery,
  found: { rows: Row[]; total: number; placeOf: (row: Row) => (string | number)[]; toItem: (row: Row) => Item },
): Listed<Item> {
  const rows = found.rows.slice(0, query.limit);
  const last = rows.at(-1);
  const more = found.rows.length > query.limit && last !== undefined;
  return {
    items: rows.map(found.toItem),
    page: {
      limit: query.limit,
      number: query.cursor === undefined ? (query.page ?? 1) : null,
      total: found.total,
      next_cursor: more ? encodeCursor(found.placeOf(last)) : null,
    },
  };
}

function encodeCursor(place: (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/**
 * The moment and id that a cursor names.
 *
 * @throws {InvalidError} for a cursor that none of our lists gave out.
 */
export function momentAndId(cursor: string): { at: Date; id: string } {
  return momentAndIdOf(decode(cursor));
}

/**
 * As `momentAndId`, with the score before them, for lists that searches give.
 *
 * @throws {InvalidError} for a cursor that none of our lists gave out.
 */
export function scoreMomentAndId(cursor: string): { score: number; at: Date; id: string } {
  const [score, ...place] = decode(cursor);
  if (typeof score !== "number" || !isInt32(score)) throw notOurs();
  return { score, ...momentAndIdOf(place) };
}

/**
 * The number that a cursor names, for lists ordered by a number.
 *
 * @throws {InvalidError} for a cursor that none of our lists gave out.
 */
export function numberOf(cursor: string): number {
  const [number, ...rest] = decode(cursor);
  if (typeof number !== "number" || !Number.isSafeInteger(number) || rest.length > 0) throw notOurs();
  return number;
}

function momentAndIdOf([at, id, ...rest]: unknown[]): { at: Date; id: string } {
  const moment = typeof at === "string" ? new Date(at) : new Date(Number.NaN);
  if (typeof id !== "string" || rest.length > 0 || Number.isNaN(moment.getTime()) || moment.toISOString() !== at) throw notOurs();
  return { at: moment, id };
}

/** What Postgres takes as an `int`. */
function isInt32(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 31;
}

function decode(cursor: string): unknown[] {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(place) && encodeCursor(place) === cursor) return place;
  } catch {
    // Falls through: it is not JSON.
  }
  throw notOurs();
}

function notOurs(): InvalidError {
  return new InvalidError("The cursor is not one that this list gave out.", [
    { path: "cursor", message: "is not a cursor of this list" },
  ]);
}
