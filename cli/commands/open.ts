import { spawn } from "node:child_process";
import type { Command } from "commander";
import { z } from "zod";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findRun, RUN_ARGUMENT } from "../find-run.js";
import { print } from "../output.js";

/** `longhaul open [run]`: Longhaul's page, or the run's on it, in a browser when there is a terminal. The address logs the browser in. */
export function addOpen(program: Command): void {
  program
    .command("open")
    .argument("[run]", RUN_ARGUMENT)
    .description("open Longhaul's page, or the run's; prints its address, which logs a browser in, once, within a minute")
    .option("--temporal", "the run's page in Temporal")
    .option("--print", "only print the address")
    .action(open);
}

async function open(given: string | undefined, options: { print?: boolean; temporal?: boolean }): Promise<void> {
  const url = options.temporal ? await inTemporal(given) : await onThePage(given);
  print(url);
  if (!options.print && process.stdout.isTTY) show(url);
}

async function onThePage(given: string | undefined): Promise<string> {
  const client = connect();
  const to = given === undefined ? "" : `&to=/runs/${(await findRun(client, given)).id}`;
  const { path } = await client.post("/api/login-codes", z.object({ path: z.string() }));
  return `${client.url}${path}${to}`;
}

async function inTemporal(given: string | undefined): Promise<string> {
  if (given === undefined) throw new CliError(EXIT.usage, "Which run? `longhaul open <run> --temporal`");
  const { url } = (await findRun(connect(), given)).temporal;
  if (url === null) throw new CliError(EXIT.failed, "Temporal has no page here. LONGHAUL_TEMPORAL_UI_URL says where it is.");
  return url;
}

/** Without a browser the printed address has to do. */
function show(url: string): void {
  const opener = process.platform === "darwin" ? "open" : "xdg-open";
  spawn(opener, [url], { stdio: "ignore", detached: true })
    .on("error", () => {})
    .unref();
}
