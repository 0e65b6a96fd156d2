import { type Command, InvalidArgumentError, Option } from "commander";
import type { Format } from "./output.js";
import { parseDuration } from "./times.js";

export interface FormatOption {
  format: Format;
}

/** Adds `--format`, which every command that prints something has. */
export function withFormat(command: Command): Command {
  const format = new Option("--format <format>", "table for people, json as the API gives it");
  return command.addOption(format.choices(["table", "json"]).default("table"));
}

/** Reads an option that is a whole number, and not below a least one. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < least) throw new InvalidArgumentError(`It is a whole number from ${least} on.`);
    return number;
  };
}

/** Reads an option that is a length of time, in milliseconds. */
export function lengthOfTime(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError("It is a number of seconds, or with a unit: 90s, 15m, 2h, 1d.");
  return ms;
}

/** Gathers an option that may be given several times. */
export function gathered(text: string, before: string[] = []): string[] {
  return [...before, text];
}
