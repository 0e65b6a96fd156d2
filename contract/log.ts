import { z } from "zod";
import { LOG_LEVELS } from "./log-level.js";
import { Time } from "./time.js";

export const LogLevel = z.enum(LOG_LEVELS);
export type LogLevel = z.infer<typeof LogLevel>;

export const LogLine = z.object({
  at: Time,
  level: LogLevel,
  step_id: z.string().nullable(),
  attempt: z.int().nullable(),
  stream: z.enum(["log", "stdout", "stderr"]),
  text: z.string(),
});
export type LogLine = z.infer<typeof LogLine>;

/** A piece of a step's output on its way to Postgres and the run folder. */
export interface LogChunk {
  run_id: string;
  /** The step's row id; null for lines of the run itself. */
  step_id: string | null;
  attempt: number;
  stream: "log" | "stdout" | "stderr";
  level: LogLevel;
  /** Characters of this step's and attempt's output before this piece. */
  offset: number;
  text: string;
  at: string;
}
