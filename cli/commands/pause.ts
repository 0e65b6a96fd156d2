import { type Command, Option } from "commander";
import { connect } from "../connection.js";
import { controlRun } from "../control-run.js";
import { RUN_ARGUMENT, runId } from "../find-run.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";

/** `longhaul pause <run>`: no further step starts; with `--mode now` what runs is stopped. */
export function addPause(program: Command): void {
  const mode = new Option("--mode <mode>", "boundary: the running step ends first; now: it is stopped");
  withFormat(program.command("pause").argument("<run>", RUN_ARGUMENT))
    .description("pause a run before its next step")
    .addOption(mode.choices(["boundary", "now"]).default("boundary"))
    .action(async (given: string, { format, mode }: FormatOption & { mode: string }) => {
      const client = connect();
      const run = await controlRun(client, await runId(client, given), { act: "pause", body: { mode } });
      if (format === "json") printJson(run);
      else print(`${run.id} ${run.status}`);
      const what = mode === "now" ? "What runs is stopped, to go on later" : "No further step starts";
      say(`${what}. \`longhaul resume ${run.id}\` lets it go on.`);
    });
}
