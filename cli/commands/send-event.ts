import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { z } from "zod";
import { connect } from "../connection.js";
import { RUN_ARGUMENT, runId, runPath } from "../find-run.js";
import { readJson } from "../input.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson } from "../output.js";

const Sent = z.object({ id: z.string(), run_id: z.string(), name: z.string(), at: z.string() });

/** `longhaul send-event <run> <name> [json]`: what a run waits for, or will. */
export function addSendEvent(program: Command): void {
  withFormat(program.command("send-event").argument("<run>", RUN_ARGUMENT))
    .argument("<name>", "of the event: letters, digits and . _ : -")
    .argument("[json]", "what comes with it: JSON, or @file with it (@-: stdin)")
    .description("send an event to a run; it is kept until a step waits for it")
    .action(send);
}

async function send(given: string, name: string, json: string | undefined, { format }: FormatOption): Promise<void> {
  const payload = json === undefined ? undefined : readJson("[json]", json);
  const client = connect();
  const id = await runId(client, given);
  const sent = await client.post(runPath(id, `/events/${encodeURIComponent(name)}`), Sent, payload, { key: randomUUID() });
  if (format === "json") printJson(sent);
  else print(`${sent.name} sent`);
}
