import { setTimeout as delay } from "node:timers/promises";
import { Context } from "@temporalio/activity";
import { isUnavailable } from "../db/database.js";
import { describeFailure, toApplicationFailure } from "./failure.js";

/** Milliseconds until a database that is away is asked again. */
const PATIENCE = 1_000;

/**
 * An activity that only reads Postgres: waits while it is away.
 *
 * @throws {ApplicationFailure} as the read fails otherwise.
 */
export async function patiently<T>(
  read: () => Promise<T>,
  { heartbeatMs = 5_000 }: { heartbeatMs?: number | undefined },
): Promise<T> {
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat(), heartbeatMs);
  const begun = new Date().toISOString();
  try {
    return await whenThere(read, context.cancellationSignal);
  } catch (error) {
    context.cancellationSignal.throwIfAborted();
    const trace = { started_at: begun, completed_at: new Date().toISOString(), lost: [] };
    throw toApplicationFailure(describeFailure(error, trace), error);
  } finally {
    clearInterval(beating);
  }
}

/** What is read from Postgres, once that is there. @throws as the read fails otherwise, and when the signal is aborted. */
export async function whenThere<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
    await delay(PATIENCE, undefined, { signal });
  }
}
