import { styleText } from "node:util";
import type { RunStatus } from "../contract/run.js";
import type { StepStatus } from "../contract/step.js";

export type Format = "table" | "json";
export type Style = "bold" | "gray" | "green" | "red" | "blue" | "yellow" | "cyan" | "magenta";

/** A line of what was asked for, on stdout. */
export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** A line for whoever watches, on stderr. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** As the API told it. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Coloured for stdout, where that shows colours. */
export function paint(style: Style, text: string): string {
  return hasColours(process.stdout) ? styleText(style, text, { validateStream: false }) : text;
}

/** Whether a stream is one to colour: NO_COLOR and FORCE_COLOR decide, else whether it is a terminal. */
export function hasColours(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return stream.isTTY === true && env.TERM !== "dumb";
}

/** Columns that lines may take; 80 where nobody says. */
export function screenWidth(): number {
  return process.stdout.columns || Number(process.env.COLUMNS) || 80;
}

const STATUS_STYLES: Record<RunStatus | StepStatus, Style> = {
  pending: "gray",
  running: "blue",
  retrying: "yellow",
  paused: "yellow",
  waiting: "yellow",
  completed: "green",
  failed: "red",
  cancelled: "red",
  timed_out: "red",
  skipped: "gray",
};

/** The colour that stands for a state, of a run or of a step. */
export function statusStyle(status: RunStatus | StepStatus): Style {
  return STATUS_STYLES[status];
}

/** What others wrote, without what would move the cursor or colour the screen. */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
