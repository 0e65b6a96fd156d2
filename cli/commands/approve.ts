import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { JsonObject } from "../../contract/json.js";
import { Step } from "../../contract/step.js";
import { onlyAsking } from "../asking.js";
import { connect } from "../connection.js";
import { findRun, findStep, RUN_ARGUMENT, runPath } from "../find-run.js";
import { readInput } from "../input.js";
import { type FormatOption, gathered, withFormat } from "../options.js";
import { print, printJson } from "../output.js";

interface AnswerOptions extends FormatOption {
  comment?: string;
  field?: string[];
  forRun?: boolean;
  request?: string;
}

/** `longhaul approve <run> [step]`: yes to what a run asks. */
export function addApprove(program: Command): void {
  add(
    program.command("approve").option("--for-run", "of what an agent asks: all calls of this kind, for the rest of the run"),
    "approve",
    "say yes to what a run asks",
  );
}

/** `longhaul reject <run> [step]`: no to what a run asks. */
export function addReject(program: Command): void {
  add(program.command("reject"), "reject", "say no to what a run asks");
}

function add(command: Command, name: "approve" | "reject", description: string): void {
  withFormat(command.argument("<run>", RUN_ARGUMENT))
    .argument("[step]", "key, number or id of the step that asks; needed when several do")
    .description(description)
    .option("-c, --comment <text>", "kept with the answer")
    .option("--request <id>", "answer only this request of a step that asks several times")
    .option("--field <field>", "what the answer fills in: key=value, JSON, or @file; may be given several times", gathered)
    .action((given: string, step: string | undefined, options: AnswerOptions) => answer(name, given, { step, ...options }));
}

async function answer(
  what: "approve" | "reject",
  given: string,
  { step, comment, field, forRun, request, format }: AnswerOptions & { step: string | undefined },
): Promise<void> {
  const client = connect();
  const run = await findRun(client, given);
  const asking = step === undefined ? onlyAsking(run) : findStep(run, step);
  const body: JsonObject = { answer: what };
  if (comment !== undefined) body.reason = comment;
  if (field !== undefined) body.fields = readInput(field, wantedFields(asking), "--field");
  if (forRun) body.fields = { ...(JsonObject.safeParse(body.fields).data ?? {}), scope: "run" };
  const asked = request ?? asking.waiting_for?.request;
  if (asked !== undefined) body.request = asked;
  const path = runPath(run.id, `/approvals/${encodeURIComponent(asking.id)}`);
  const answered = await client.post(path, Step, body, { key: randomUUID() });
  if (format === "json") printJson(answered);
  else print(`${asking.step_id} ${what === "approve" ? "approved" : "rejected"}${of(asking)}${stillWaits(answered)}`);
}

/** What an agent was answered. */
function of({ waiting_for }: Step): string {
  return waiting_for?.permission ? `: ${waiting_for.permission.tool}` : "";
}

/** Of an approval that takes several people. */
function stillWaits({ status, waiting_for }: Step): string {
  if (status !== "waiting" || !waiting_for?.answers || waiting_for.required === undefined) return "";
  const approved = waiting_for.answers.filter((answer) => answer.approved).length;
  return `, ${approved} of ${waiting_for.required} so far`;
}

/** The schema of what an answer fills in. */
function wantedFields({ waiting_for }: Step): JsonObject[string] | null {
  return waiting_for?.fields ?? null;
}
