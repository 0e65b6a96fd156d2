import type { Command } from "commander";
import { connect } from "../connection.js";
import { controlRun } from "../control-run.js";
import { RUN_ARGUMENT, runId } from "../find-run.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";

/** `longhaul cancel <run>`: ends a run and all that it has running. */
export function addCancel(program: Command): void {
  withFormat(program.command("cancel").argument("<run>", RUN_ARGUMENT))
    .description("cancel a run and all that it has running")
    .option("--reason <text>", "kept with the run")
    .action(async (given: string, { format, reason }: FormatOption & { reason?: string }) => {
      const client = connect();
      const body = reason === undefined ? {} : { reason };
      const run = await controlRun(client, await runId(client, given), { act: "cancel", body });
      if (format === "json") printJson(run);
      else print(`${run.id} ${run.status}`);
      if (run.status !== "cancelled") say("It is asked to end, and has something running still.");
    });
}
