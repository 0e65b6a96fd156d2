import { isGrpcServiceError } from "@temporalio/client";

/** gRPC: deadline exceeded, resource exhausted, unavailable, and cancelled by a closing connection. */
const AWAY = new Set([1, 4, 8, 14]);

/** Milliseconds that Temporal is given to answer a request. */
const PATIENCE = 8_000;

/** When a request to Temporal made now is given up. */
export function temporalDeadline(): number {
  return Date.now() + PATIENCE;
}

/** Whether Temporal did not answer, as against answering with an error. Looks through causes. */
export function isTemporalAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isGrpcServiceError(error)) return AWAY.has(error.code);
  return isTemporalAway(error.cause);
}

/** Whether Temporal takes no more signals or updates for this run. */
export function isMessageLimit(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isGrpcServiceError(error)) return /limit for signal|signals? limit|exceeded.*signal|limit.* updates/i.test(error.details);
  return isMessageLimit(error.cause);
}
