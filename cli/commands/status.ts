import type { Command } from "commander";
import { connect } from "../connection.js";
import { findRun, RUN_ARGUMENT } from "../find-run.js";
import { type FormatOption, withFormat } from "../options.js";
import { printJson } from "../output.js";
import { printRun } from "../show-run.js";

/** `longhaul status <run>`: a run with its steps. */
export function addStatus(program: Command): void {
  withFormat(program.command("status").argument("<run>", RUN_ARGUMENT))
    .description("show a run with its steps")
    .action(async (given: string, { format }: FormatOption) => {
      const run = await findRun(connect(), given);
      if (format === "json") printJson(run);
      else printRun(run);
    });
}
