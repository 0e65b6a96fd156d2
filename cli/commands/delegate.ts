import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { ApprovalRecord } from "../../contract/approval.js";
import { Step } from "../../contract/step.js";
import { onlyAsking } from "../asking.js";
import { connect } from "../connection.js";
import { findRun, findStep, RUN_ARGUMENT, runId, runPath, stepNames } from "../find-run.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { printTable } from "../table.js";
import { ago } from "../times.js";

interface DelegateOptions extends FormatOption {
  comment?: string;
}

/** `longhaul delegate <run> <user> [step]`: somebody else answers in one's place. */
export function addDelegate(program: Command): void {
  withFormat(program.command("delegate").argument("<run>", RUN_ARGUMENT))
    .argument("<user>", "who is to answer in your place")
    .argument("[step]", "key, number or id of the approval; needed when several wait")
    .description("hand your answer to an approval to another user")
    .option("-c, --comment <text>", "kept with it")
    .action(delegate);
}

/** `longhaul approvals <run>`: what was said to a run's approvals. */
export function addApprovals(program: Command): void {
  withFormat(program.command("approvals").argument("<run>", RUN_ARGUMENT))
    .description("who said what to the approvals of a run")
    .action(list);
}

async function delegate(
  given: string,
  to: string,
  step: string | undefined,
  { comment, format }: DelegateOptions,
): Promise<void> {
  const client = connect();
  const run = await findRun(client, given);
  const asking = step === undefined ? onlyAsking(run) : findStep(run, step);
  const path = runPath(run.id, `/approvals/${encodeURIComponent(asking.id)}/delegate`);
  const body = { to, ...(comment === undefined ? {} : { reason: comment }) };
  const handed = await client.post(path, Step, body, { key: randomUUID() });
  if (format === "json") printJson(handed);
  else print(`${asking.step_id} is for ${to} to answer`);
}

async function list(given: string, { format }: FormatOption): Promise<void> {
  const client = connect();
  const id = await runId(client, given);
  const said = (await client.all(runPath(id, "/approvals"), ApprovalRecord)).reverse();
  if (format === "json") return printJson(said);
  if (said.length === 0) return say("Nobody has answered anything in this run yet.");
  const names = await stepNames(client, id);
  printTable(said, [
    { title: "STEP", text: ({ step_id }) => names.get(step_id) ?? step_id },
    { title: "WHO", text: ({ by }) => by ?? "the deadline" },
    { title: "SAID", text: ({ answer, delegate }) => (delegate === null ? answer : `delegate to ${delegate}`) },
    { title: "WHEN", text: ({ at }) => ago(at) },
    { title: "WHY", text: ({ comment }) => comment ?? "", shrinks: true },
  ]);
}
