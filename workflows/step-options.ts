import { msToNumber } from "@temporalio/common/lib/time.js";
import { LONGEST_MS } from "../contract/duration.js";
import { SecretNames } from "../contract/secret.js";
import type { StepOptions } from "../sdk/context.js";
import { StepFailed } from "../sdk/step-failed.js";

/**
 * What an author's code may ask of a step; nothing that a plan's steps ask is refused here, which is checked as it is compiled.
 *
 * @throws {StepFailed} `invalid_input`, naming the option.
 */
export function checkOptions(key: string, { timeout, idleTimeout, retry, secrets }: StepOptions & { secrets?: string[] }): void {
  if (secrets !== undefined && !SecretNames.safeParse(secrets).success)
    refuse(key, "secrets", "1 to 100 names of secrets, such as NPM_TOKEN", JSON.stringify(secrets));
  checkMs(key, "timeout", timeout);
  checkMs(key, "idleTimeout", idleTimeout);
  if (retry === undefined || typeof retry === "boolean") return;
  const { maxAttempts = 1, backoff = "fixed", initialDelayMs, maxDelayMs, multiplier = 1 } = retry;
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1)
    refuse(key, "retry.maxAttempts", "a whole number, 1 or more", maxAttempts);
  if (!BACKOFFS.includes(backoff)) refuse(key, "retry.backoff", BACKOFFS.join(", "), backoff);
  if (!(multiplier >= 1 && multiplier <= 100)) refuse(key, "retry.multiplier", "a number from 1 to 100", multiplier);
  checkMs(key, "retry.initialDelayMs", initialDelayMs);
  checkMs(key, "retry.maxDelayMs", maxDelayMs);
}

const BACKOFFS: readonly string[] = ["fixed", "linear", "exponential"];

function checkMs(key: string, option: string, value: number | undefined): void {
  if (value === undefined || (typeof value === "number" && value >= 0 && value <= LONGEST_MS)) return;
  refuse(key, option, "a number of milliseconds, from 0 to ten years", value);
}

/**
 * Milliseconds of a number of them, or of a text such as "2 hours".
 *
 * @throws {StepFailed} `invalid_input`, naming the option.
 */
export function millisecondsOf(key: string, option: string, duration: unknown): number {
  const ms = typeof duration === "string" ? parse(duration) : duration;
  if (typeof ms === "number" && ms >= 0 && ms <= LONGEST_MS) return ms;
  return refuse(key, option, 'milliseconds or a text such as "2 hours", up to ten years', duration);
}

function parse(text: string): number | undefined {
  try {
    return msToNumber(text as "2 hours");
  } catch {
    return undefined;
  }
}

function refuse(key: string, option: string, wanted: string, value: unknown): never {
  const given = typeof value === "string" ? JSON.stringify(value) : String(value);
  throw new StepFailed(key, "invalid_input", `${option} of "${key}" must be ${wanted}, not ${given.slice(0, 100)}.`);
}
