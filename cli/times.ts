const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago something was: `5s ago`, `3m ago`, `2h ago`, `4d ago`; `-` when it was not. */
export function ago(time: string | null, now = Date.now()): string {
  if (time === null) return "-";
  const ms = Math.max(0, now - Date.parse(time));
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m ago`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h ago`;
  return `${Math.floor(ms / DAY)}d ago`;
}

/** How long something took: `120ms`, `4.2s`, `3m 20s`, `2h 5m`, `1d 3h`; `-` when that is not known. */
export function duration(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < SECOND) return `${Math.round(ms)}ms`;
  if (ms < MINUTE) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`;
  if (ms < HOUR) return two(ms, MINUTE, "m", SECOND, "s");
  return ms < DAY ? two(ms, HOUR, "h", MINUTE, "m") : two(ms, DAY, "d", HOUR, "h");
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${largeName}${rest > 0 ? ` ${rest}${smallName}` : ""}`;
}

const UNITS: Record<string, number> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY };

/** Milliseconds of `90`, `90s`, `15m`, `2h`, `1d`; a bare number is seconds. Undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const [, number = "", unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim()) ?? [];
  return number === "" ? undefined : Number(number) * (UNITS[unit] ?? SECOND);
}
