import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { JsonObject } from "../../contract/json.js";
import { WholeRun } from "../../contract/whole-run.js";
import type { LonghaulClient } from "../../sdk/client.js";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findRun, findStep, RUN_ARGUMENT, runId, runPath } from "../find-run.js";
import { readInput, readJson } from "../input.js";
import { type FormatOption, gathered, wholeNumber, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";

interface ForkOptions extends FormatOption {
  from: string;
  input?: string[];
  output?: string[];
  revision?: number;
}

/** `longhaul fork <run> --from <step>`: a new run that goes on from a step of another one. */
export function addFork(program: Command): void {
  withFormat(program.command("fork").argument("<run>", RUN_ARGUMENT))
    .description("start a run that goes on from a step of this one, with all that had ended before it")
    .requiredOption("--from <step>", "key, number or id of the first step that is done anew")
    .option("-i, --input <input>", "another input: JSON, @file with JSON, or key=value; may be given several times", gathered)
    .option(
      "--output <output>",
      "what counts as an earlier step's output: step=JSON, or step=@file; may be given several times",
      gathered,
    )
    .option("--revision <number>", "of the workflow; default the one of this run", wholeNumber(1))
    .action(async (given: string, options: ForkOptions) => {
      const client = connect();
      const run = await findRun(client, given);
      const body: JsonObject = { step_number: findStep(run, options.from).step_number };
      if (options.input !== undefined) body.input = { ...asObject(run.input), ...asObject(readInput(options.input, null)) };
      if (options.output !== undefined) body.outputs = Object.fromEntries(options.output.map(readOutput));
      if (options.revision !== undefined) body.revision = options.revision;
      await start(client, runPath(run.id, "/fork"), body, options);
    });
}

/** `longhaul retry <run>`: a new run that goes on from the step with which this one failed. */
export function addRetry(program: Command): void {
  withFormat(program.command("retry").argument("<run>", RUN_ARGUMENT))
    .description("start a run that goes on from the step with which this one failed")
    .action(async (given: string, options: FormatOption) => {
      const client = connect();
      await start(client, runPath(await runId(client, given), "/retry"), { mode: "fork" }, options);
    });
}

async function start(client: LonghaulClient, path: string, body: JsonObject, { format }: FormatOption): Promise<void> {
  const run = await client.post(path, WholeRun, body, { key: randomUUID() });
  if (format === "json") printJson(run);
  else print(run.id);
  say(`It goes on from ${run.parent_run_id}. \`longhaul watch ${run.id}\` shows what it does.`);
}

function readOutput(text: string) {
  const at = text.indexOf("=");
  if (at < 1) throw new CliError(EXIT.usage, `--output ${text} has no step: write --output plan='{"tasks": []}'.`);
  return [text.slice(0, at), readJson("--output", text.slice(at + 1))] as const;
}

function asObject(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
