import type { Command } from "commander";
import { Checkpoint } from "../../contract/checkpoint.js";
import type { WholeRun } from "../../contract/whole-run.js";
import { Workflow } from "../../contract/workflow.js";
import { connect } from "../connection.js";
import { controlRun } from "../control-run.js";
import { EXIT, exitOf } from "../exit.js";
import { findProject } from "../find-project.js";
import { findRun, RUN_ARGUMENT, runId, runPath, stepNames } from "../find-run.js";
import { type FormatOption, gathered, wholeNumber, withFormat } from "../options.js";
import { paint, print, printJson, say, statusStyle, withoutControls } from "../output.js";
import { kilobytes } from "../size.js";
import { type StartOptions, startRun, withStartOptions } from "../start-run.js";
import { printTable } from "../table.js";
import { ago } from "../times.js";
import { watchRun } from "../watch-run.js";

/** `longhaul workflow …`: run, list, status, pause, resume, cancel and checkpoints, the first and the fifth of which wait for the end. */
export function addWorkflow(program: Command): void {
  const group = program.command("workflow").description("the same for scripts that wait: run and resume end with the run");
  withFormat(withStartOptions(group.command("run").argument("<file>", "a workflow's file, or its name")))
    .description("run a workflow to its end")
    .action(run);
  withFormat(group.command("list"))
    .description("list workflows, or search them")
    .option("--project <project>", "id, name or folder")
    .option("--search <text>", "words of name, tags, author and description, or a part of the name")
    .option("--tag <tag>", "it has; may be given several times", gathered)
    .option("--author <author>", "it is by")
    .action(list);
  withFormat(group.command("status").argument("<execution-id>", RUN_ARGUMENT)).description("show a run").action(status);
  withFormat(group.command("pause").argument("<execution-id>", RUN_ARGUMENT)).description("pause a run").action(pause);
  withFormat(group.command("resume").argument("<execution-id>", RUN_ARGUMENT))
    .description("let a paused run go on, to its end")
    .action(resume);
  withFormat(group.command("cancel").argument("<execution-id>", RUN_ARGUMENT)).description("cancel a run").action(cancel);
  withFormat(group.command("checkpoints").argument("<execution-id>", RUN_ARGUMENT))
    .description("list a run's checkpoints, the latest first")
    .option("--limit <number>", "how many at most", wholeNumber(1), 10)
    .action(checkpoints);
}

async function run(file: string, options: StartOptions & FormatOption): Promise<void> {
  const client = connect();
  say(`Executing workflow from: ${file}`);
  const started = await startRun(client, file, options);
  const ended = await watchRun(client, started.id, { print: say, fromBegin: true });
  finish(ended, options, () => {
    print(`Execution ID: ${ended.id}`);
    print(`Workflow: ${withoutControls(ended.workflow_definition.name)}`);
    print(`State: ${state(ended)}`);
    print(`Duration: ${ended.duration_ms ?? 0}ms`);
    print(`Steps: ${ended._count.steps}`);
  });
}

interface ListOptions extends FormatOption {
  project?: string;
  search?: string;
  tag?: string[];
  author?: string;
}

async function list({ format, project, search, tag, author }: ListOptions): Promise<void> {
  const client = connect();
  const found = project === undefined ? undefined : await findProject(client, project);
  const query = { project_id: found?.id, q: search, tags: tag?.join(","), author };
  const workflows = await client.all("/api/workflows", Workflow, query);
  if (format === "json") return printJson(workflows);
  if (workflows.length === 0 && (search ?? tag ?? author) !== undefined) return say("There are no such workflows.");
  if (workflows.length === 0) return say("There are no workflows yet. `longhaul init` in a repository makes one.");
  const rate = ({ stats }: Workflow) => (stats.success_rate === null ? "-" : `${Math.round(stats.success_rate * 100)}%`);
  printTable(workflows, [
    { title: "NAME", text: ({ slug }) => slug },
    { title: "VERSION", text: ({ version, revision }) => version ?? `rev ${revision}` },
    { title: "DESCRIPTION", text: about, style: ({ load_error }) => (load_error ? "red" : undefined), shrinks: true },
    { title: "EXECUTIONS", text: ({ stats }) => String(stats.executions), align: "right" },
    { title: "SUCCESS", text: rate, align: "right" },
  ]);
}

async function status(given: string, { format }: FormatOption): Promise<void> {
  const run = await findRun(connect(), given);
  if (format === "json") return printJson(run);
  const count = (wanted: string) => run.steps.filter((step) => step.status === wanted).length;
  const failed = count("failed");
  print("Workflow Execution Status:");
  print();
  print(`Execution ID: ${run.id}`);
  print(`Workflow: ${withoutControls(run.workflow_definition.name)}`);
  print(`State: ${state(run)}`);
  print(`Steps: ${count("completed")}/${run._count.steps} completed${failed > 0 ? `, ${failed} failed` : ""}`);
  if (run.started_at !== null) print(`Started: ${run.started_at} (${ago(run.started_at)})`);
  if (run.completed_at !== null) print(`Completed: ${run.completed_at} (${ago(run.completed_at)})`);
  if (run.duration_ms !== null) print(`Duration: ${run.duration_ms}ms`);
  printErrors(run);
}

async function pause(given: string, { format }: FormatOption): Promise<void> {
  const client = connect();
  const run = await controlRun(client, await runId(client, given), { act: "pause" });
  if (format === "json") printJson(run);
  else print(`${paint("yellow", "✓")} Workflow execution paused: ${run.id}`);
  say('Use "longhaul workflow resume" to continue execution');
}

async function resume(given: string, options: FormatOption): Promise<void> {
  const client = connect();
  const id = await runId(client, given);
  say(`Resuming workflow execution: ${id}`);
  await controlRun(client, id, { act: "resume" });
  const ended = await watchRun(client, id, { print: say });
  const done = "Workflow resumed and completed successfully";
  finish(ended, { ...options, done }, () => {
    print(`State: ${state(ended)}`);
    print(`Duration: ${ended.duration_ms ?? 0}ms`);
  });
}

async function cancel(given: string, { format }: FormatOption): Promise<void> {
  const client = connect();
  const run = await controlRun(client, await runId(client, given), { act: "cancel" });
  if (format === "json") printJson(run);
  else print(`${paint("green", "✓")} Workflow execution ${run.status === "cancelled" ? "cancelled" : "asked to end"}: ${run.id}`);
}

async function checkpoints(given: string, { format, limit }: FormatOption & { limit: number }): Promise<void> {
  const client = connect();
  const id = await runId(client, given);
  const found = await client.all(runPath(id, "/checkpoints"), Checkpoint, {}, limit);
  if (format === "json") return printJson(found);
  const names = await stepNames(client, id);
  print(`Checkpoints for execution: ${id}`);
  for (const [i, checkpoint] of found.entries()) {
    print();
    print(`${i + 1}. Checkpoint ${checkpoint.id}`);
    const step = withoutControls(names.get(checkpoint.step_id) ?? checkpoint.step_id);
    const state = `after step ${checkpoint.step_number}, ${step}`;
    print(`   State: ${state} | Created: ${ago(checkpoint.created_at)} | By: ${checkpoint.created_by}`);
    print(`   Label: ${checkpoint.label === null ? "-" : withoutControls(checkpoint.label)}`);
    print(`   Size: ${kilobytes(checkpoint.size_bytes)}`);
  }
  if (found.length === 0) say("It has none: no step of it has finished.");
}

/** The end of a command that waited for the run's. */
function finish(
  run: WholeRun,
  { format, done = "Workflow completed successfully" }: FormatOption & { done?: string },
  details: () => void,
): void {
  process.exitCode = exitOf(run.status);
  if (format === "json") {
    printJson(run);
    return;
  }
  if (process.exitCode === EXIT.ok) print(`${paint("green", "✓")} ${done}`);
  else print(`${paint("red", "✗")} Workflow ${run.status}`);
  details();
  printErrors(run);
}

function printErrors(run: WholeRun): void {
  if (run.error_message !== null) print(`Error: ${paint("red", withoutControls(run.error_message))}`);
}

function state({ status }: WholeRun): string {
  return paint(statusStyle(status), status);
}

function about({ description, load_error }: Workflow): string {
  return load_error ? `does not load: ${load_error.message}` : (description ?? "-");
}
