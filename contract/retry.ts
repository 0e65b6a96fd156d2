/** When and how often a step is tried again. Delays are durable timers. */
export interface RetryPolicy {
  /** Tries in all, the first included. @default 3 */
  maxAttempts?: number;
  /** @default "exponential" */
  backoff?: "fixed" | "linear" | "exponential";
  /** Milliseconds before the second try. @default 1000 */
  initialDelayMs?: number;
  /** No delay is longer, in milliseconds. @default 60000 */
  maxDelayMs?: number;
  /** Factor of exponential backoff. @default 2 */
  multiplier?: number;
  /** Only errors of these types are tried again. @default all but `budget_exceeded` */
  retryableErrors?: string[] | undefined;
}

/** Milliseconds to wait after the given failed attempt (counted from 1). */
export function retryDelay(policy: RetryPolicy, failedAttempt: number): number {
  const { backoff = "exponential", initialDelayMs = 1000, maxDelayMs = 60_000, multiplier = 2 } = policy;
  const factor = { fixed: 1, linear: failedAttempt, exponential: multiplier ** (failedAttempt - 1) }[backoff];
  return Math.min(initialDelayMs * factor, maxDelayMs);
}

/** What an author has asked for: `true` is three tries, nothing is one. */
export function policyOf(retry: RetryPolicy | boolean | undefined): RetryPolicy {
  if (retry === true) return { maxAttempts: 3 };
  if (!retry) return { maxAttempts: 1 };
  return { maxAttempts: 3, ...retry };
}

/** Whether an error of this type is one to try again after. */
export function isRetryable(policy: RetryPolicy, type: string): boolean {
  return policy.retryableErrors ? policy.retryableErrors.includes(type) : type !== "budget_exceeded";
}
