import type { Command } from "commander";
import { settings } from "../connection.js";

/** `longhaul start` and `longhaul dev`: everything up on this machine, until Ctrl-C. */
export function addStart(program: Command): void {
  program.command("start").description("start everything on this machine; runs until Ctrl-C").action(start);
}

/** The same under the name that other tools gave it. */
export function addDev(program: Command): void {
  program.command("dev").description("the same as start: opens nothing, says where it is").action(start);
}

async function start(): Promise<void> {
  settings();
  const { serve } = await import("../../local/serve.js");
  await serve();
}
