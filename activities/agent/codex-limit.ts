import { firstLine } from "./answer.js";
import type { Rollout } from "./codex-rollout.js";
import { limitUntil, type UsageLimit } from "./limit.js";

const MINUTE_MS = 60_000;

/**
 * The usage limit that ended a turn. Null when it ended otherwise, and when nobody says until when.
 *
 * @param failure how the turn failed, in Codex's words: they name a minute of the clock, and the day unless it is today.
 * @param rollout what the transcript has of the limit: the second, where the API's headers tell it.
 */
export function limitOf(failure: string | undefined, { limits }: Pick<Rollout, "limits">, now = new Date()): UsageLimit | null {
  if (failure === undefined || !/hit your usage limit/i.test(failure)) return null;
  const used = limits.filter(({ used_percent, resets_at }) => used_percent >= 100 && resets_at !== null);
  const exact = Math.max(...used.map(({ resets_at }) => (resets_at ?? 0) * 1_000));
  const at = used.length > 0 ? exact : inWords(failure, now);
  return at === null ? null : limitUntil("Codex", at, firstLine(failure));
}

/** "11:15 AM", or "Nov 25th, 2026 11:15 AM", of this machine's clock: the end of that minute, so as not to be early. */
function inWords(failure: string, now: Date): number | null {
  const match = /try again at (?:(\w+ \d+)(?:st|nd|rd|th), (\d{4}) )?(\d+):(\d\d) (AM|PM)/.exec(failure);
  if (!match) return null;
  const [, day, year, hour, minute, half] = match;
  const at = day === undefined ? new Date(now) : new Date(`${day}, ${year}`);
  at.setHours((Number(hour) % 12) + (half === "PM" ? 12 : 0), Number(minute), 0, 0);
  return Number.isNaN(at.getTime()) ? null : at.getTime() + MINUTE_MS;
}
