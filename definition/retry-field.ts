import type { PlanRetry, PlanStep } from "../contract/plan.js";
import type { Fields } from "./fields.js";
import { MAX_TRIES } from "./limits.js";
import { RETRY_DEFAULTS } from "./retry-defaults.js";

/**
 * `retry`: true is three tries; false is one that is not made again when its worker was lost. A map says more, in any of the words that dialects have for it: `maxAttempts` counts all
 * tries, `maxRetries` and `retries` those after the first.
 *
 * @param defaults of what the map does not say
 */
export function retryOf(fields: Fields, key: string, defaults: PlanRetry = RETRY_DEFAULTS): PlanStep["retry"] {
  const value = fields.value(key);
  if (value?.kind === "scalar" && typeof value.value === "boolean") {
    return value.value && { ...RETRY_DEFAULTS };
  }
  const retry = fields.map(key, `"${key}", which is true, false or a map such as { maxAttempts: 3 }`);
  if (!retry) return undefined;
  const initialDelayMs = retry.duration(retry.either("initialDelayMs", "retryDelayMs", "delay")) ?? defaults.initialDelayMs;
  const policy: PlanRetry = {
    maxAttempts: attemptsOf(retry) ?? defaults.maxAttempts,
    backoff: retry.oneOf("backoff", ["fixed", "linear", "exponential"]) ?? defaults.backoff,
    initialDelayMs,
    maxDelayMs: retry.duration(retry.either("maxDelayMs", "maxDelay")) ?? Math.max(defaults.maxDelayMs, initialDelayMs),
    multiplier: retry.number(retry.either("multiplier", "retryBackoffMultiplier"), { min: 1, max: 100 }) ?? defaults.multiplier,
  };
  const retryableErrors = retry.texts("retryableErrors");
  retry.rest();
  if (policy.maxDelayMs < initialDelayMs)
    retry.problem("maxDelayMs", `"maxDelayMs" must not be less than the first delay, ${initialDelayMs}.`);
  return retryableErrors ? { ...policy, retryableErrors } : policy;
}

/** One try, and `retries` more, with the defaults' delays. */
export function retriesOf(retries: number, defaults: PlanRetry = RETRY_DEFAULTS): PlanRetry | undefined {
  return retries === 0 ? undefined : { ...defaults, maxAttempts: retries + 1 };
}

function attemptsOf(retry: Fields): number | undefined {
  const key = retry.either("maxAttempts", "maxRetries", "retries");
  if (key === "maxAttempts") return retry.int(key, { min: 1, max: MAX_TRIES });
  const retries = retry.int(key, { min: 0, max: MAX_TRIES - 1 });
  return retries === undefined ? undefined : retries + 1;
}
