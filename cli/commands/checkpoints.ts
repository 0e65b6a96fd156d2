import type { Command } from "commander";
import { Checkpoint } from "../../contract/checkpoint.js";
import { connect } from "../connection.js";
import { RUN_ARGUMENT, runId, runPath, stepNames } from "../find-run.js";
import { type FormatOption, wholeNumber, withFormat } from "../options.js";
import { printJson, say } from "../output.js";
import { kilobytes } from "../size.js";
import { printTable } from "../table.js";
import { ago } from "../times.js";

/** `longhaul checkpoints <run>`: the finished steps of a run and the code they left, the latest first. */
export function addCheckpoints(program: Command): void {
  withFormat(program.command("checkpoints").argument("<run>", RUN_ARGUMENT))
    .description("list a run's checkpoints, the latest first")
    .option("--limit <number>", "how many at most", wholeNumber(1), 20)
    .action(async (given: string, { format, limit }: FormatOption & { limit: number }) => {
      const client = connect();
      const id = await runId(client, given);
      const checkpoints = await client.all(runPath(id, "/checkpoints"), Checkpoint, {}, limit);
      if (format === "json") printJson(checkpoints);
      else if (checkpoints.length > 0) printCheckpoints(checkpoints, await stepNames(client, id));
      else say("It has no checkpoints: none of its steps has finished.");
    });
}

function printCheckpoints(checkpoints: Checkpoint[], names: Map<string, string>): void {
  printTable(checkpoints, [
    { title: "ID", text: ({ id }) => id },
    { title: "#", text: ({ step_number }) => String(step_number), align: "right" },
    { title: "STEP", text: ({ step_id }) => names.get(step_id) ?? step_id, shrinks: true },
    { title: "LABEL", text: ({ label }) => label ?? "-", shrinks: true },
    { title: "CREATED", text: ({ created_at }) => ago(created_at) },
    { title: "BY", text: ({ created_by }) => created_by },
    { title: "SIZE", text: ({ size_bytes }) => kilobytes(size_bytes), align: "right" },
  ]);
}
