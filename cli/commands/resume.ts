import type { Command } from "commander";
import { connect } from "../connection.js";
import { controlRun } from "../control-run.js";
import { RUN_ARGUMENT, runId } from "../find-run.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";

/** `longhaul resume <run>`: a paused run goes on. */
export function addResume(program: Command): void {
  withFormat(program.command("resume").argument("<run>", RUN_ARGUMENT))
    .description("let a paused run go on")
    .action(async (given: string, { format }: FormatOption) => {
      const client = connect();
      const run = await controlRun(client, await runId(client, given), { act: "resume" });
      if (format === "json") printJson(run);
      else print(`${run.id} ${run.status}`);
      say(`It goes on. \`longhaul watch ${run.id}\` shows what it does.`);
    });
}
