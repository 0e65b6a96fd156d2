import { setTimeout as delay } from "node:timers/promises";
import { ApiError, UnreachableError } from "../sdk/client.js";

/** Milliseconds that a server may be away: time enough for a machine to come up again. */
export const PATIENCE = 10 * 60_000;
const AGAIN = 500;

/** Whether asking again may help: nothing answered, or a server behind the API was away. */
export function isPassing(error: unknown): boolean {
  return error instanceof UnreachableError || (error instanceof ApiError && (error.status === 503 || error.status === 429));
}

/** Asks until there is an answer, or the patience is over. */
export async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (const end = Date.now() + PATIENCE; ; await delay(AGAIN, undefined, { signal })) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || Date.now() > end) throw error;
    }
  }
}
