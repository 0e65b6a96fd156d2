import { createHash } from "node:crypto";
import type { LogLevel } from "../contract/log.js";

/** Where a fact was told. The API's own facts have no place in a narration. */
export interface LogPlace {
  run_id: string;
  execution?: string;
  seq?: number;
}

/** The id of the comment that a logged line becomes: from `warn` upwards, null below. */
export function logCommentId(place: LogPlace, level: LogLevel): string | null {
  if (level !== "warn" && level !== "error" && level !== "fatal") return null;
  const told = createHash("sha256").update(`${place.execution}:${place.seq}`).digest("hex").slice(0, 16);
  return `${place.run_id}-l${told}`;
}
