import { z } from "zod";

/** Every id on the wire: opaque, URL-safe, at most 64 characters. */
export const Id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "an id has 1 to 64 letters, digits, _ or -");

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/**
 * A new id: a prefix that says what it names, the time in base 36 (so that ids sort by age)
 * and 60 random bits.
 */
export function newId(prefix: string, now = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(12));
  const tail = Array.from(random, (byte) => ALPHABET[byte % 36]).join("");
  return `${prefix}_${now.toString(36).padStart(9, "0")}${tail}`;
}
