import type { Command } from "commander";
import { CheckpointCheck, CheckpointStats, WholeCheckpoint } from "../../contract/checkpoint.js";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findProject } from "../find-project.js";
import { RUN_ARGUMENT, runId, runPath } from "../find-run.js";
import { type FormatOption, withFormat } from "../options.js";
import { paint, print, printJson, say, withoutControls } from "../output.js";
import { kilobytes } from "../size.js";
import { printTable } from "../table.js";
import { ago } from "../times.js";

const ID_ARGUMENT = "id of the checkpoint, as `longhaul checkpoints <run>` lists it";

/** `longhaul checkpoint …`: show, check, label, create, stats. */
export function addCheckpoint(program: Command): void {
  const group = program.command("checkpoint").description("show, check and label one checkpoint, make one, or count them");
  withFormat(group.command("show").argument("<id>", ID_ARGUMENT)).description("show a checkpoint").action(show);
  withFormat(group.command("check").argument("<id>", ID_ARGUMENT))
    .description("look whether its tree, file and results are there; ends with 1 when something is wrong")
    .action(check);
  withFormat(group.command("label").argument("<id>", ID_ARGUMENT).argument("[label]", "a line of text"))
    .description("give it a label")
    .option("--none", "take its label away")
    .action(label);
  withFormat(group.command("create").argument("<run>", RUN_ARGUMENT).argument("<label>", "a line of text"))
    .description("make one at the step of a run under way that completed last")
    .action(create);
  withFormat(group.command("stats"))
    .description("count them")
    .option("--run <run>", RUN_ARGUMENT)
    .option("--project <project>", "id, name or folder")
    .action(stats);
}

async function show(id: string, { format }: FormatOption): Promise<void> {
  const found = await connect().get(pathOf(id), WholeCheckpoint);
  if (format === "json") return printJson(found);
  const { step_number, label, created_at, created_by, tree, tree_shared, file_path, size_bytes } = found;
  const list = (keys: string[]) => (keys.length === 0 ? "-" : withoutControls(keys.join(", ")));
  print(`Checkpoint  ${found.id}`);
  print(`Run         ${found.run_id}, after step ${step_number}`);
  print(`Label       ${label === null ? "-" : withoutControls(label)}`);
  print(`Created     ${created_at} (${ago(created_at)}), ${created_by}`);
  print(`Completed   ${list(found.completed_steps)}`);
  print(`Pending     ${list(found.pending_steps)}`);
  print(`Tree        ${tree === null ? "-" : `${tree.commit_sha} (${tree.ref})`}`);
  if (tree_shared) print("            shared: other steps wrote to it while it was kept");
  print(`File        ${file_path ?? "-"}`);
  print(`Size        ${kilobytes(size_bytes)}`);
}

async function check(id: string, { format }: FormatOption): Promise<void> {
  const found = await connect().get(pathOf(id, "/validate"), CheckpointCheck);
  if (!found.valid) process.exitCode = EXIT.failed;
  if (format === "json") return printJson(found);
  if (found.valid) print(`${paint("green", "✓")} ${id}: its tree, its file and ${found.steps} results are there.`);
  for (const { part, message } of found.problems) print(`${paint("red", "✗")} ${part}: ${withoutControls(message)}`);
}

async function label(id: string, text: string | undefined, { format, none }: FormatOption & { none?: boolean }): Promise<void> {
  if ((text === undefined) !== (none === true))
    throw new CliError(EXIT.usage, 'Say either a label or --none: longhaul checkpoint label <id> "before the release"');
  const changed = await connect().patch(pathOf(id), WholeCheckpoint, { label: text ?? null });
  if (format === "json") printJson(changed);
  else print(changed.id);
  say(changed.label === null ? "It has no label any more." : `It is labelled ${withoutControls(changed.label)}.`);
}

async function create(given: string, text: string, { format }: FormatOption): Promise<void> {
  const client = connect();
  const made = await client.post(runPath(await runId(client, given), "/checkpoints"), WholeCheckpoint, { label: text });
  if (format === "json") printJson(made);
  else print(made.id);
}

async function stats({ format, run, project }: FormatOption & { run?: string; project?: string }): Promise<void> {
  const client = connect();
  const query = {
    run_id: run === undefined ? undefined : await runId(client, run),
    project_id: project === undefined ? undefined : (await findProject(client, project)).id,
  };
  const found = await client.get("/api/checkpoints/stats", CheckpointStats, query);
  if (format === "json") return printJson(found);
  print(`${found.count} checkpoints, ${kilobytes(found.size_bytes)}, the oldest of ${ago(found.oldest_at)}`);
  if (found.runs.length === 0) return;
  print();
  printTable(found.runs, [
    { title: "RUN", text: ({ run_id }) => run_id },
    { title: "NAME", text: ({ name }) => name, shrinks: true },
    { title: "COUNT", text: ({ count }) => String(count), align: "right" },
    { title: "SIZE", text: ({ size_bytes }) => kilobytes(size_bytes), align: "right" },
    { title: "OLDEST", text: ({ oldest_at }) => ago(oldest_at) },
  ]);
}

function pathOf(id: string, below = ""): string {
  return `/api/checkpoints/${encodeURIComponent(id)}${below}`;
}
