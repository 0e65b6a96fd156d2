import { createHash } from "node:crypto";

/** Deeper values would overrun Postgres' stack, and no reader needs them. */
const MAX_DEPTH = 500;

/**
 * The same JSON in the one form that is stored: keys sorted, `undefined` left out, and what Postgres refuses
 * (NUL, half a surrogate pair, nesting deeper than 500) replaced. Never throws for JSON.
 */
export function storable<T>(value: T): T {
  // The copy has the shape of what was copied.
  return copy(value, 0) as T;
}

function copy(value: unknown, depth: number): unknown {
  if (typeof value === "string") return storableText(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "[nested too deeply to be kept]";
  if (Array.isArray(value)) return value.map((item) => copy(item ?? null, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [storableText(key), copy(item, depth + 1)]),
  );
}

/** With the flag `u`, a surrogate that has its other half is no match. */
const REFUSED = /[\0\p{Surrogate}]/u;
const ALL_REFUSED = /[\0\p{Surrogate}]/gu;

/** Text as Postgres takes it: NUL and half a surrogate pair become U+FFFD. */
export function storableText(text: string): string {
  return REFUSED.test(text) ? text.replace(ALL_REFUSED, "\uFFFD") : text;
}

/** sha256, 32 hexadecimal digits of it, of a value that `storable` has returned. */
export function digestOf(stored: unknown): string {
  return createHash("sha256").update(JSON.stringify(stored)).digest("hex").slice(0, 32);
}
