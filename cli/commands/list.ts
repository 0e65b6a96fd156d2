import type { Command } from "commander";
import { Run } from "../../contract/run.js";
import { connect } from "../connection.js";
import { findProject } from "../find-project.js";
import { findWorkflow } from "../find-workflow.js";
import { type FormatOption, wholeNumber, withFormat } from "../options.js";
import { printJson, say } from "../output.js";
import { printRuns } from "../show-run.js";

interface ListOptions extends FormatOption {
  status?: string;
  workflow?: string;
  project?: string;
  branch?: string;
  search?: string;
  limit: number;
}

/** `longhaul list`: runs, the newest first. */
export function addList(program: Command): void {
  withFormat(program.command("list").alias("ls"))
    .description("list runs, the newest first")
    .option(
      "--status <statuses>",
      "one or more, with commas: pending running paused waiting completed failed cancelled timed_out",
    )
    .option("--workflow <workflow>", "name, slug or id")
    .option("--project <project>", "id, name or folder; `.` is the one around this folder")
    .option("--branch <branch>", "the branch a run works on")
    .option("--search <text>", "part of the name")
    .option("--limit <number>", "how many at most", wholeNumber(1), 20)
    .action(list);
}

async function list({ format, ...options }: ListOptions): Promise<void> {
  const client = connect();
  const project = options.project === undefined ? undefined : await findProject(client, options.project);
  const found = options.workflow === undefined ? undefined : await findWorkflow(client, options.workflow, project?.id);
  const query = {
    status: options.status,
    project_id: project?.id,
    workflow_id: found?.workflow.id,
    branch: options.branch,
    q: options.search,
  };
  const runs = await client.all("/api/runs", Run, query, options.limit);
  if (format === "json") printJson(runs);
  else if (runs.length > 0) printRuns(runs);
  else say("There are no such runs. `longhaul run <workflow>` starts one.");
}
