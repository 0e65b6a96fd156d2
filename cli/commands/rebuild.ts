import type { Command } from "commander";
import { settings } from "../connection.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";

/** `longhaul rebuild`: drops what Postgres knows of runs and makes it again from Temporal and the run folders. */
export function addRebuild(program: Command): void {
  withFormat(program.command("rebuild"))
    .description("make the database's picture of all runs anew, while no server runs on this home")
    .action(async ({ format }: FormatOption) => {
      const config = settings();
      const { rebuildHome } = await import("../../local/rebuild.js");
      const report = await rebuildHome(config, say);
      if (format === "json") printJson(report);
      else print(`${report.runs} runs rebuilt, ${report.renumbered.length} with new event numbers, ${report.lost.length} not.`);
    });
}
