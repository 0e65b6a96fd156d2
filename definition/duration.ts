import { msToNumber } from "@temporalio/common/lib/time.js";

/**
 * Milliseconds of a number, which is milliseconds already, or of a text as `ctx.sleep` takes it: `30s`, `2 hours`, `1.5d`.
 * Nothing when it is neither, or negative.
 */
export function durationMs(value: number | string): number | undefined {
  const ms = typeof value === "number" ? value : parse(value);
  return ms !== undefined && Number.isFinite(ms) && ms >= 0 ? Math.round(ms) : undefined;
}

function parse(text: string): number | undefined {
  try {
    return msToNumber(text as "30s");
  } catch {
    return undefined;
  }
}
