import type { Command } from "commander";
import { connect } from "../connection.js";
import { CliError, EXIT, exitOf } from "../exit.js";
import { type FormatOption, lengthOfTime, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { sayEnd } from "../show-run.js";
import { type StartOptions, startRun, withStartOptions } from "../start-run.js";
import { watchRun } from "../watch-run.js";

interface RunOptions extends StartOptions, FormatOption {
  watch?: boolean;
  timeout?: number;
}

/** `longhaul run <workflow|file>`: prints the run's id, or what it does until it has finished. */
export function addRun(program: Command): void {
  const command = program.command("run").argument("<workflow>", "name, slug or id of a workflow, or the file it is in");
  withFormat(withStartOptions(command))
    .description("start a run; prints its id")
    .option("-w, --watch", "show its steps and output until it has finished, and end with its exit code")
    .option("--timeout <time>", "with --watch: stop watching after so long (30s, 15m, 2h), with exit code 124", lengthOfTime)
    .action(run);
}

async function run(workflow: string, options: RunOptions): Promise<void> {
  if (options.timeout !== undefined && !options.watch) throw new CliError(EXIT.usage, "--timeout is for --watch.");
  const client = connect();
  const started = await startRun(client, workflow, options);
  if (!options.watch) {
    if (options.format === "json") printJson(started);
    else print(started.id);
    say(`Started. \`longhaul watch ${started.id}\` shows what it does.`);
    return;
  }
  const show = options.format === "json" ? say : print;
  say(`Run ${started.id} of ${started.workflow_definition.name}`);
  const ended = await watchRun(client, started.id, { print: show, timeout: options.timeout, fromBegin: true });
  if (options.format === "json") printJson(ended);
  sayEnd(ended);
  process.exitCode = exitOf(ended.status);
}
