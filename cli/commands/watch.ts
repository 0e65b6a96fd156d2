import type { Command } from "commander";
import { connect } from "../connection.js";
import { exitOf } from "../exit.js";
import { RUN_ARGUMENT, runId } from "../find-run.js";
import { type FormatOption, lengthOfTime, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { sayEnd } from "../show-run.js";
import { watchRun } from "../watch-run.js";

/** `longhaul watch <run>`: what a run did, and does until it has finished. */
export function addWatch(program: Command): void {
  withFormat(program.command("watch").argument("<run>", RUN_ARGUMENT))
    .description("show a run's steps and output until it has finished, and end with its exit code")
    .option("--timeout <time>", "stop watching after so long (30s, 15m, 2h), with exit code 124", lengthOfTime)
    .action(watch);
}

async function watch(given: string, { format, timeout }: FormatOption & { timeout?: number }): Promise<void> {
  const client = connect();
  const id = await runId(client, given);
  const run = await watchRun(client, id, { print: format === "json" ? say : print, timeout });
  if (format === "json") printJson(run);
  sayEnd(run);
  process.exitCode = exitOf(run.status);
}
