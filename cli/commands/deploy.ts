import { readFileSync, statSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import type { Command } from "commander";
import { CLOSED_RUNS, DeployCheck } from "../../contract/deploy-check.js";
import type { JsonObject } from "../../contract/json.js";
import { Workflow } from "../../contract/workflow.js";
import { compile } from "../../definition/compile.js";
import type { LonghaulClient } from "../../sdk/client.js";
import { calledFrom, connect } from "../connection.js";
import { printCheck } from "../deploy-report.js";
import { CliError, EXIT } from "../exit.js";
import { findProject } from "../find-project.js";
import { type FormatOption, wholeNumber, withFormat } from "../options.js";
import { printJson, say } from "../output.js";
import { problemLine } from "../report.js";

interface DeployOptions extends FormatOption {
  check?: true;
  force?: true;
  against?: string;
  workflow?: string;
  project?: string;
  closed: number;
}

/** Milliseconds that a check may take: some tens for each run. */
const PATIENCE = 290_000;

/** `longhaul deploy <file>`, `longhaul deploy --against <folder>`: what a change means for runs under way, before it is made. */
export function addDeploy(program: Command): void {
  withFormat(program.command("deploy").argument("[file]", "a workflow's changed file"))
    .description(
      "replay the runs under way with a changed workflow, or another Longhaul, and make it the newest revision if they fit",
    )
    .option("--check", "say what it would mean, and change nothing")
    .option("--force", "make it the newest revision although runs would go another way")
    .option("--against <folder>", "another Longhaul, installed there on the server's machine, instead of a file")
    .option("--workflow <workflow>", "id or name; default the one that the file names")
    .option("--project <project>", "id, name or folder")
    .option("--closed <number>", "closed runs of each workflow that are replayed, too", wholeNumber(0), CLOSED_RUNS)
    .action(deploy);
}

async function deploy(file: string | undefined, options: DeployOptions): Promise<void> {
  if ((file === undefined) === (options.against === undefined))
    throw new CliError(EXIT.usage, "Name a workflow's file, or another Longhaul by --against: one of them.");
  const client = connect();
  if (file === undefined) await againstBuild(client, options);
  else await ofFile(client, file, options);
}

async function againstBuild(client: LonghaulClient, { against = "", workflow, project, closed, format }: DeployOptions) {
  const project_id = project === undefined ? undefined : (await findProject(client, project)).id;
  const named = {
    ...(workflow === undefined ? {} : { workflow_id: workflow }),
    ...(project_id === undefined ? {} : { project_id }),
  };
  const body: JsonObject = { build: resolve(calledFrom(), against), closed, ...named };
  const check = await client.post("/api/builds/check", DeployCheck, body, { patience: PATIENCE });
  if (format === "json") printJson(check);
  else printCheck(check);
  if (check.ok) return say("It can take the place of the one at work.");
  say("Do not put it in the place of the one at work: these runs would stand still until the old one is back.");
  process.exitCode = EXIT.failed;
}

async function ofFile(client: LonghaulClient, file: string, options: DeployOptions): Promise<void> {
  const path = resolve(calledFrom(), file);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new CliError(EXIT.notFound, `There is no file ${file}.`);
  const workflow = await workflowOf(client, path, options);
  const definition = readFileSync(path, "utf8");
  const at = `/api/workflows/${workflow.id}`;
  const check = await client.post(`${at}/check`, DeployCheck, { definition, closed: options.closed }, { patience: PATIENCE });
  if (options.format === "json") printJson(check);
  else printCheck(check);
  if (options.check || (!check.ok && !options.force)) {
    if (!check.ok) process.exitCode = EXIT.failed;
    if (!check.ok && !options.check)
      say("Nothing was changed. With --force it becomes the newest revision all the same: open runs stay on theirs.");
    return;
  }
  const { revision } = await client.put(at, Workflow, { definition });
  say(`New runs of ${workflow.name} carry out revision ${revision}.`);
}

async function workflowOf(client: LonghaulClient, path: string, { workflow, project }: DeployOptions): Promise<Workflow> {
  const project_id = project === undefined ? undefined : (await findProject(client, project)).id;
  if (workflow !== undefined) {
    const query = { project_id };
    return client.get(`/api/workflows/${encodeURIComponent(workflow)}`, Workflow, query);
  }
  const name = nameIn(path);
  const all = await client.all("/api/workflows", Workflow, { project_id });
  const found = all.filter((known) => known.name === name && known.project_id !== null);
  const [one] = found;
  if (one && found.length === 1) return one;
  throw one
    ? new CliError(EXIT.usage, `Several projects have a workflow ${name}: say which by --project.`)
    : new CliError(
        EXIT.notFound,
        `There is no workflow ${name} yet, and so no run of it. Save the file to its project, or name another by --workflow.`,
      );
}

/** As a definition says it; of code as it is written after `name:`. */
function nameIn(path: string): string {
  const text = readFileSync(path, "utf8");
  if (extname(path) === ".ts") {
    const name = /\bname\s*:\s*(["'`])((?:(?!\1)[^\\$])+)\1/.exec(text)?.[2];
    if (name !== undefined) return name;
    throw new CliError(EXIT.usage, `${path} does not say a name that can be read off it: name the workflow by --workflow.`);
  }
  const compiled = compile(text, basename(path));
  if (compiled.ok) return compiled.plan.name;
  throw new CliError(EXIT.usage, compiled.problems.map((problem) => problemLine({ ...problem, path })).join("\n"));
}
