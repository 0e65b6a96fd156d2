import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { JsonObject } from "../../contract/json.js";
import { isStepFinished, Step } from "../../contract/step.js";
import type { StepAction } from "../../contract/step-action.js";
import { connect } from "../connection.js";
import { findRun, findStep, RUN_ARGUMENT } from "../find-run.js";
import { readJson } from "../input.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";

interface HandOptions extends FormatOption {
  reason?: string;
  output?: string;
}

/** `longhaul step skip|retry|complete <run> <step>`: a hand on a step that is under way. */
export function addStep(program: Command): void {
  const group = program.command("step").description("skip, retry or complete a step that is under way");
  add(group, "skip", "leave a step out; what it does is stopped first");
  add(group, "retry", "try again at once what waits for its next try, or for an account's limit");
  add(group, "complete", "complete a step by hand, with what it is to give").option(
    "--output <json>",
    "JSON, @file (@-: stdin): an agent's text, or data where it has a schema; a command's stdout; else the value as it is",
  );
}

function add(group: Command, action: StepAction, description: string): Command {
  return withFormat(group.command(action).argument("<run>", RUN_ARGUMENT))
    .argument("<step>", "key, number or id of the step")
    .description(description)
    .option("--reason <text>", "kept with the run, and in the audit trail")
    .action((run: string, step: string, options: HandOptions) => take(action, run, step, options));
}

async function take(action: StepAction, given: string, name: string, { reason, output, format }: HandOptions): Promise<void> {
  const client = connect();
  const { id, step_id } = findStep(await findRun(client, given), name);
  const body: JsonObject = {};
  if (reason !== undefined) body.reason = reason;
  if (output !== undefined) body.output = readJson("--output", output);
  const step = await client.post(`/api/steps/${encodeURIComponent(id)}/${action}`, Step, body, { key: randomUUID() });
  if (format === "json") printJson(step);
  else print(`${step_id} ${step.status}`);
  if (action !== "retry" && !isStepFinished(step.status)) say("What it does is being stopped.");
}
