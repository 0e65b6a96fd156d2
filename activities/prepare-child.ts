import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ChildRequest, MOST_DEPTH } from "../contract/child.js";
import { ConflictError, NotFoundError } from "../contract/errors.js";
import type { Loader } from "../contract/loader.js";
import type { Program, RunSpec, WorkspaceSpec } from "../contract/run-spec.js";
import type { StartableWorkflow } from "../db/workflows.js";
import { StepFailure } from "./failure.js";
import { worktreesRoot } from "./git.js";
import { patiently } from "./patiently.js";

export interface ChildDeps {
  /** `LONGHAUL_HOME` */
  home: string;
  heartbeatMs?: number | undefined;
  findWorkflow(idSlugOrName: string, projectId: string): Promise<StartableWorkflow>;
  checkInput: Loader["checkInput"];
}

/** As many bytes as Temporal takes as a run's first argument, less what encoding adds. */
const SPEC_LIMIT = 1_900_000;

/**
 * All that a child run is, from what its parent asks for: today's revision of the workflow, the input checked and its defaults filled
 * in. Changes nothing, so it may be done again. Waits while Postgres is away.
 *
 * @throws {ApplicationFailure} `workflow_missing`, `workflow_disabled`, `workflow_broken`, `invalid_input`, `too_deep`.
 */
export function prepareChild(deps: ChildDeps, request: ChildRequest): Promise<RunSpec> {
  return patiently(() => specOf(deps, request), deps);
}

async function specOf(deps: ChildDeps, { run_id, input, name, parent, ...request }: ChildRequest): Promise<RunSpec> {
  const depth = (parent.depth ?? 0) + 1;
  if (depth > MOST_DEPTH) {
    const message = `A run may stand under ${MOST_DEPTH} others at most; this one would be the ${depth + 1}th of its line.`;
    throw new StepFailure("too_deep", `${message} Does a workflow start itself?`);
  }
  const workflow = await deps.findWorkflow(request.workflow, parent.project_id).catch(asMissing);
  const program = runnable(workflow);
  const checked = await deps.checkInput(program, input);
  if (!checked.ok) {
    const problems = checked.problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
    throw new StepFailure("invalid_input", `The input does not fit the workflow ${workflow.name}: ${problems}`);
  }
  const { project_id, project_path, user_id, context, priority, continue_after, interactive } = parent;
  const spec: RunSpec = {
    run_id,
    name: name ?? workflow.name,
    project_id,
    project_path,
    user_id,
    workflow_id: workflow.id,
    workflow_name: workflow.name,
    workflow_revision: workflow.revision,
    phases: workflow.phases,
    program,
    input: checked.input,
    context,
    ...(continue_after === undefined ? {} : { continue_after }),
    ...(interactive === undefined ? {} : { interactive }),
    workspace: workspaceOf(deps, run_id, request.workspace, { parent, base_branch: request.base_branch }),
    timeout_ms: workflow.timeout_ms,
    triggered_by: "workflow",
    priority,
    parent_run_id: parent.run_id,
    depth,
    created_at: new Date().toISOString(),
  };
  if (Buffer.byteLength(JSON.stringify(spec)) <= SPEC_LIMIT) return spec;
  const message = `Code and input of ${workflow.name} together may have ${SPEC_LIMIT} bytes. Give large inputs as an artifact or a file.`;
  throw new StepFailure("invalid_input", message);
}

function asMissing(error: unknown): never {
  const isMissing = error instanceof NotFoundError || error instanceof ConflictError;
  throw isMissing ? new StepFailure("workflow_missing", error.message) : error;
}

function runnable({ name, enabled, load_error, program }: StartableWorkflow): Program {
  if (!enabled) throw new StepFailure("workflow_disabled", `The workflow ${name} is disabled.`);
  if (load_error) throw new StepFailure("workflow_broken", `The workflow ${name} cannot be loaded: ${load_error.message}`);
  if (!program) throw new StepFailure("workflow_broken", `The workflow ${name} has not been loaded.`);
  return program;
}

function workspaceOf(
  { home }: ChildDeps,
  runId: string,
  which: ChildRequest["workspace"],
  { parent, base_branch }: Pick<ChildRequest, "parent" | "base_branch">,
): WorkspaceSpec {
  const theirs = parent.workspace;
  if (which === "parent") return { ...theirs, owner: theirs.owner ?? parent.run_id };
  if (!existsSync(join(parent.project_path, ".git"))) return { mode: "in_place", path: parent.project_path, base_branch: null };
  const mode = theirs.mode === "clone" ? "clone" : "worktree";
  return { mode, path: join(worktreesRoot(home), parent.project_id, runId), base_branch };
}
