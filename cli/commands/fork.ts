import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { Checkpoint } from "../../contract/checkpoint.js";
import { ForkDryRun, type TakenStep } from "../../contract/fork-dry-run.js";
import type { JsonObject } from "../../contract/json.js";
import { WholeRun } from "../../contract/whole-run.js";
import type { LonghaulClient } from "../../sdk/client.js";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findRun, findStep, RUN_ARGUMENT, runId, runPath } from "../find-run.js";
import { readInput, readJson } from "../input.js";
import { type FormatOption, gathered, wholeNumber, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { printTable } from "../table.js";

interface ForkOptions extends FormatOption {
  from: string;
  input?: string[];
  output?: string[];
  revision?: number;
  dryRun?: true;
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
    .option("--dry-run", "start nothing: say which of the steps before would be taken over")
    .action(async (given: string, options: ForkOptions) => {
      const client = connect();
      const run = await findRun(client, given);
      const body: JsonObject = { step_number: findStep(run, options.from).step_number };
      if (options.input !== undefined) body.input = { ...asObject(run.input), ...asObject(readInput(options.input, null)) };
      if (options.output !== undefined) body.outputs = Object.fromEntries(options.output.map(readOutput));
      if (options.revision !== undefined) body.revision = options.revision;
      if (options.dryRun) await tryOut(client, runPath(run.id, "/fork"), body, options);
      else await start(client, runPath(run.id, "/fork"), body, options);
    });
}

/** `longhaul retry <run>`: the step with which it failed is done again, in the same run or in a new one. */
export function addRetry(program: Command): void {
  withFormat(program.command("retry").argument("<run>", RUN_ARGUMENT))
    .description("do the step again with which a run failed, and go on")
    .option("--fork", "in a new run")
    .action(async (given: string, options: FormatOption & { fork?: true }) => {
      const client = connect();
      const path = runPath(await runId(client, given), "/retry");
      if (options.fork) await start(client, path, { mode: "fork" }, options);
      else await goBack(client, path, { mode: "restore" }, options);
    });
}

interface RestoreOptions extends FormatOption {
  to: string;
}

/** `longhaul restore <run> --to <checkpoint>`: the same run goes on from an earlier point. */
export function addRestore(program: Command): void {
  withFormat(program.command("restore").argument("<run>", RUN_ARGUMENT))
    .description("take a run back to a checkpoint, whatever it is at, and go on from there")
    .requiredOption("--to <checkpoint>", "id or label of a checkpoint, or key, number or id of its step")
    .action(async (given: string, options: RestoreOptions) => {
      const client = connect();
      const id = await runId(client, given);
      const checkpoint_id = await findCheckpoint(client, id, options.to);
      await goBack(client, runPath(id, "/restore"), { checkpoint_id }, options);
    });
}

async function findCheckpoint(client: LonghaulClient, id: string, given: string): Promise<string> {
  const checkpoints = await client.all(runPath(id, "/checkpoints"), Checkpoint, {}, 10_000);
  const named = checkpoints.find((one) => one.id === given || one.label === given);
  if (named) return named.id;
  const step = findStep(await findRun(client, id), given);
  const found = checkpoints.find(({ step_id }) => step_id === step.id);
  if (found) return found.id;
  const message = `The step ${given} of the run ${id} has no checkpoint: it is ${step.status}. \`longhaul checkpoints ${id}\` lists those there are.`;
  throw new CliError(EXIT.notFound, message);
}

async function goBack(client: LonghaulClient, path: string, body: JsonObject, { format }: FormatOption): Promise<void> {
  const run = await client.post(path, WholeRun, body, { key: randomUUID() });
  if (format === "json") printJson(run);
  else print(run.id);
  const last = run.steps.at(-1);
  const from = last ? `from what it was after step ${last.step_number} (${last.name})` : "from its beginning";
  say(`It goes on ${from}. \`longhaul watch ${run.id}\` shows what it does.`);
}

/** Milliseconds that a trial may take: the workflow is carried out once more, on a busy machine beside others. */
const PATIENCE = 290_000;

async function tryOut(client: LonghaulClient, path: string, body: JsonObject, { format }: FormatOption): Promise<void> {
  const dryRun = await client.post(path, ForkDryRun, { ...body, dry_run: true }, { patience: PATIENCE });
  if (format === "json") return printJson(dryRun);
  const { reused, changed, missing, unknown } = dryRun;
  const rows = [
    ...reused.map((step) => ({ ...step, fate: "reused" })),
    ...changed.map((step) => ({ ...step, fate: "reused, though it is another step now" })),
    ...missing.map((step) => ({ ...step, fate: "not used: there is no such step" })),
    ...unknown.map((step) => ({ ...step, fate: "not known before what precedes it is done" })),
  ];
  const title = ({ step_id, iteration }: TakenStep) => (iteration > 1 ? `${step_id} (${iteration})` : step_id);
  printTable(
    rows.toSorted((a, b) => a.step_number - b.step_number),
    [
      { title: "#", text: ({ step_number }) => String(step_number), align: "right" },
      { title: "STEP", text: title, shrinks: true },
      { title: "IN THE FORK", text: ({ fate }) => fate },
    ],
  );
  say(`Nothing was started. The fork would carry out revision ${dryRun.revision}, from step ${dryRun.step_number} on.`);
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
