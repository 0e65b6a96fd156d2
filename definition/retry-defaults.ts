import type { PlanRetry } from "../contract/plan.js";

/** What is not said of a retry: three tries, exponentially later from a second on. */
export const RETRY_DEFAULTS: PlanRetry = {
  maxAttempts: 3,
  backoff: "exponential",
  initialDelayMs: 1000,
  maxDelayMs: 60_000,
  multiplier: 2,
};
