import type { SDKMessage, SDKRateLimitInfo } from "@anthropic-ai/claude-agent-sdk";
import { firstLine } from "./answer.js";
import { limitUntil, type UsageLimit } from "./limit.js";

/** Limits of one model; the account has others that answer. */
const OF_MODEL: readonly SDKRateLimitInfo["rateLimitType"][] = ["seven_day_opus", "seven_day_sonnet"];

/** How older versions, and accounts that pay by use, say in words when they answer again. */
const IN_WORDS: readonly [pattern: RegExp, time: (match: RegExpExecArray) => number][] = [
  [/usage limit reached\|(\d{10})/, ([, seconds]) => Number(seconds) * 1_000],
  [/regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC/, ([, day, time]) => Date.parse(`${day}T${time}:00Z`)],
];

/**
 * The usage limit that ended a turn, by all that Claude Code has told in it. Null when it ended otherwise, and when nobody says until
 * when: a limit of requests a minute, and any that an API key meets.
 */
export function limitOf(told: readonly SDKMessage[]): UsageLimit | null {
  const result = told.findLast((message) => message.type === "result");
  if (result?.subtype !== "success" || !result.is_error) return null;
  const text = firstLine(result.result);
  const event = told.findLast((message) => message.type === "rate_limit_event");
  const { status, resetsAt, rateLimitType } = event?.rate_limit_info ?? {};
  if (status === "rejected" && resetsAt !== undefined && result.api_error_status === 429) {
    return { ...limitUntil("Claude Code", resetsAt * 1_000, text), ...(OF_MODEL.includes(rateLimitType) && { of_model: true }) };
  }
  for (const [pattern, time] of IN_WORDS) {
    const match = pattern.exec(text);
    if (match) return limitUntil("Claude Code", time(match), text);
  }
  return null;
}
