import { spawn } from "node:child_process";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findRun, RUN_ARGUMENT } from "../find-run.js";
import { print } from "../output.js";

/** `longhaul open <run>`: its page, in a browser when there is a terminal. */
export function addOpen(program: Command): void {
  program
    .command("open")
    .argument("<run>", RUN_ARGUMENT)
    .description("open a run's page in Temporal; prints its address")
    .option("--print", "only print the address")
    .action(async (given: string, options: { print?: boolean }) => {
      const run = await findRun(connect(), given);
      const { url } = run.temporal;
      if (url === null) throw new CliError(EXIT.failed, "Temporal has no page here. LONGHAUL_TEMPORAL_UI_URL says where it is.");
      print(url);
      if (!options.print && process.stdout.isTTY) show(url);
    });
}

/** Without a browser the printed address has to do. */
function show(url: string): void {
  const opener = process.platform === "darwin" ? "open" : "xdg-open";
  spawn(opener, [url], { stdio: "ignore", detached: true })
    .on("error", () => {})
    .unref();
}
