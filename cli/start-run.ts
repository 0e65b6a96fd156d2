import { randomUUID } from "node:crypto";
import { type Command, Option } from "commander";
import type { JsonObject } from "../contract/json.js";
import { WholeRun } from "../contract/whole-run.js";
import type { LonghaulClient } from "../sdk/client.js";
import { findRunnable } from "./find-workflow.js";
import { readInput, readJson } from "./input.js";
import { gathered, wholeNumber } from "./options.js";

export interface StartOptions {
  input?: string[];
  project?: string;
  name?: string;
  context?: string;
  triggeredBy?: string;
  priority?: number;
  workspace?: string;
  baseBranch?: string;
  onFailure?: string;
  /** False with `--no-interactive`. */
  interactive: boolean;
}

/** Adds the options by which a run is started. */
export function withStartOptions(command: Command): Command {
  const workspace = new Option("--workspace <mode>", "where it works; default a worktree of its own");
  const strategy = new Option("--on-failure <strategy>", "for all steps of a workflow in YAML or JSON, whatever they say");
  return command
    .option("-i, --input <input>", "JSON, @file with JSON, or key=value; may be given several times", gathered)
    .option("--project <project>", "id, name or folder; default the one around this folder")
    .option("--name <name>", "of the run; default the workflow's")
    .option("--context <json>", "JSON, or @file with it: what templates can name besides the input")
    .option("--triggered-by <name>", "who or what starts it")
    .option("--priority <number>", "kept with the run", wholeNumber(0))
    .addOption(workspace.choices(["worktree", "in_place", "clone"]))
    .option("--base-branch <branch>", "to begin from")
    .addOption(strategy.choices(["stop", "continue", "retry"]))
    .option("--no-interactive", "nobody is there to answer: approvals take their defaults at once, or fail; agents are refused");
}

/** Start a run of a workflow or file. A lost answer is asked for again without starting it twice. */
export async function startRun(client: LonghaulClient, given: string, options: StartOptions): Promise<WholeRun> {
  const found = await findRunnable(client, given, options.project);
  const isFile = "definition" in found;
  const { args_schema } = isFile ? found : found.workflow;
  const body: JsonObject = {
    ...(isFile ? { definition: found.definition, file: found.file } : { workflow: found.workflow.id }),
    input: readInput(options.input ?? [], args_schema),
    options: present({
      context: options.context === undefined ? undefined : readJson("--context", options.context),
      triggered_by: options.triggeredBy,
      priority: options.priority,
      workspace: options.workspace,
      base_branch: options.baseBranch,
      on_failure: options.onFailure,
      interactive: options.interactive ? undefined : false,
    }),
    ...present({ project_id: found.project?.id, name: options.name }),
  };
  return client.post(isFile ? "/api/workflow/execute" : "/api/runs", WholeRun, body, { key: randomUUID() });
}

function present(fields: { [name: string]: JsonObject[string] | undefined }): JsonObject {
  const given: JsonObject = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) given[name] = value;
  return given;
}
