import type { Json } from "../contract/json.js";

/** A copy of a value that is JSON; `undefined` becomes null. */
export function asJson(value: unknown, what: string): Json {
  if (value === undefined) return null;
  try {
    return JSON.parse(JSON.stringify(value)) as Json;
  } catch (error) {
    throw new TypeError(`The value of ${what} cannot be kept: it is not JSON (${(error as Error).message}).`);
  }
}
