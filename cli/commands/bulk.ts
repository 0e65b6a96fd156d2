import { randomUUID } from "node:crypto";
import { type Command, Option } from "commander";
import { type BulkAction, BulkResult } from "../../contract/bulk.js";
import type { JsonObject } from "../../contract/json.js";
import { connect } from "../connection.js";
import { CliError, EXIT } from "../exit.js";
import { findProject } from "../find-project.js";
import { findWorkflow } from "../find-workflow.js";
import { type FormatOption, withFormat } from "../options.js";
import { print, printJson, say } from "../output.js";
import { printTable } from "../table.js";

interface BulkOptions extends FormatOption {
  status?: string;
  workflow?: string;
  project?: string;
  branch?: string;
  search?: string;
  mode?: string;
  reason?: string;
  yes?: boolean;
}

/** `longhaul bulk pause|resume|cancel|retry`: the same to many runs, of which it says first how many they are. */
export function addBulk(program: Command): void {
  const group = program.command("bulk").description("pause, resume, cancel or retry many runs");
  const mode = new Option("--mode <mode>", "boundary: running steps end first; now: they are stopped");
  add(group, "pause").addOption(mode.choices(["boundary", "now"]));
  add(group, "resume");
  add(group, "cancel").option("--reason <text>", "kept with the runs");
  add(group, "retry");
}

function add(group: Command, action: BulkAction): Command {
  return withFormat(group.command(action))
    .description(`${action} all runs that are as the options say and that it fits; without --yes only list them`)
    .option("--status <statuses>", "one or more, with commas")
    .option("--workflow <workflow>", "name, slug or id")
    .option("--project <project>", "id, name or folder; `.` is the one around this folder")
    .option("--branch <branch>", "the branch a run works on")
    .option("--search <text>", "part of the name")
    .option("--yes", "do it")
    .action((options: BulkOptions) => bulk(action, options));
}

async function bulk(action: BulkAction, { format, yes = false, ...options }: BulkOptions): Promise<void> {
  const client = connect();
  const project = options.project === undefined ? undefined : await findProject(client, options.project);
  const found = options.workflow === undefined ? undefined : await findWorkflow(client, options.workflow, project?.id);
  const filter: JsonObject = {};
  if (project) filter.project_id = project.id;
  if (found) filter.workflow_id = found.workflow.id;
  if (options.status !== undefined) filter.status = options.status;
  if (options.branch !== undefined) filter.branch = options.branch;
  if (options.search !== undefined) filter.q = options.search;
  const asked: JsonObject = { action, filter };
  if (options.mode !== undefined) asked.mode = options.mode;
  if (options.reason !== undefined) asked.reason = options.reason;
  const told = await client.post("/api/runs/bulk", BulkResult, asked);
  if (!yes || told.count === 0) return show(told, format);

  const sure = { ...asked, dry_run: false, count: told.count };
  const result = await client.post("/api/runs/bulk", BulkResult, sure, { key: randomUUID() });
  show(result, format);
  const differing = result.count - result.done;
  if (differing > 0) throw new CliError(EXIT.failed, `${differing} of them had changed meanwhile, and are as they are.`);
}

function show(result: BulkResult, format: FormatOption["format"]): void {
  if (format === "json") {
    printJson(result);
    return;
  }
  const { action, dry_run, matched, count, done, runs } = result;
  if (count > 0) {
    printTable(runs, [
      { title: "RUN", text: ({ id }) => id },
      { title: "WAS", text: ({ status }) => status },
      { title: "OUTCOME", text: ({ outcome }) => outcome },
      { title: "NAME", text: ({ name, message }) => message ?? name, shrinks: true },
    ]);
  }
  if (dry_run) say(`${action} fits ${count} of ${matched} runs.${count > 0 ? " --yes does it." : ""}`);
  else print(`${action}: ${done} of ${count} runs`);
}
