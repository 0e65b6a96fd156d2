import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { WorkflowExecutionAlreadyStartedError } from "@temporalio/client";
import { z } from "zod";
import { TASK_QUEUE } from "../config.js";
import { ConflictError, InvalidError } from "../contract/errors.js";
import { Id, newId } from "../contract/id.js";
import { Json, JsonObject } from "../contract/json.js";
import type { Project } from "../contract/project.js";
import type { Program, RunSpec, WorkspaceSpec } from "../contract/run-spec.js";
import { applyAccepted } from "../db/projection.js";
import { allProjects, createProject, findProjectByRepo, getProject } from "../db/projects.js";
import { getRunState } from "../db/runs.js";
import type { User } from "../db/tokens.js";
import type { StartableWorkflow } from "../db/workflows.js";
import { faultPoint } from "../fault.js";
import { isBranchName } from "./branch-name.js";
import type { ApiContext } from "./context.js";
import { anyCase, Name } from "./fields.js";
import { isRepository } from "./git.js";
import type { Chosen } from "./idempotency.js";
import { temporalDeadline } from "./temporal-away.js";

/** How a run is started, besides the workflow. */
export const StartOptions = z.strictObject({
  triggered_by: Name.optional(),
  priority: z.int().min(0).max(1_000_000).optional(),
  parent_run_id: Id.optional(),
  context: JsonObject.optional(),
  workspace: anyCase(["worktree", "in_place", "clone"]).optional(),
  base_branch: z.string().refine(isBranchName, "is not the name of a branch").optional(),
});

export const startFields = {
  project_id: Id.optional(),
  input: Json.optional(),
  name: Name.optional(),
  options: StartOptions.optional(),
};
export const StartBody = z.strictObject(startFields);
export type StartBody = z.output<typeof StartBody>;

/** Bytes of a run's first argument. Temporal takes 2 MiB, with what encoding adds. */
const SPEC_LIMIT = 1_900_000;

/** What a run is made of, checked: nothing was asked of Temporal yet. */
export interface PreparedRun {
  spec: Omit<RunSpec, "run_id" | "created_at" | "workspace">;
  project: Project;
  mode: WorkspaceSpec["mode"];
  baseBranch: string | null;
}

/**
 * Find and check all that a start needs.
 *
 * @throws {InvalidError} with every wrong place of the input, or where the definition itself is wrong.
 * @throws {ConflictError} `disabled`.
 */
export async function prepareRun(
  context: ApiContext,
  workflow: StartableWorkflow,
  body: StartBody,
  user: User,
): Promise<PreparedRun> {
  const { options = {} } = body;
  const program = runnableProgram(workflow);
  if (options.parent_run_id !== undefined) await getRunState(context.db, options.parent_run_id);
  const input = await context.loader.checkInput(program, body.input ?? {});
  if (!input.ok) throw new InvalidError(`The input does not fit the workflow ${workflow.name}.`, input.problems);

  const project = await projectFor(context, workflow, body);
  const hasGit = await isRepository(project.path);
  const mode = options.workspace ?? (hasGit ? "worktree" : "in_place");
  if (mode !== "in_place" && !hasGit) {
    const message = "can only be in_place: the project has no git repository";
    throw new InvalidError(`options.workspace ${message}.`, [{ path: "options.workspace", message }]);
  }
  return {
    project,
    mode,
    baseBranch: options.base_branch ?? null,
    spec: {
      name: body.name ?? workflow.name,
      project_id: project.id,
      project_path: project.path,
      user_id: user.id,
      workflow_id: workflow.id,
      workflow_name: workflow.name,
      workflow_revision: workflow.revision,
      phases: workflow.phases,
      program,
      input: input.input,
      context: options.context ?? {},
      timeout_ms: workflow.timeout_ms,
      triggered_by: options.triggered_by ?? null,
      priority: options.priority ?? null,
      parent_run_id: options.parent_run_id ?? null,
    },
  };
}

/** Ask Temporal to run it, then write the row. Both are safe to repeat with the same choice. */
export async function startRun(context: ApiContext, prepared: PreparedRun, { id, created_at }: Chosen): Promise<void> {
  const { project, mode, baseBranch } = prepared;
  const path = mode === "in_place" ? project.path : join(context.config.home, "worktrees", project.id, id);
  const spec: RunSpec = { ...prepared.spec, run_id: id, created_at, workspace: { mode, path, base_branch: baseBranch } };
  if (Buffer.byteLength(JSON.stringify(spec)) > SPEC_LIMIT) {
    const message = `is too large: code and input together may have ${SPEC_LIMIT} bytes`;
    throw new InvalidError(`The input ${message}.`, [{ path: "input", message }]);
  }

  await askTemporal(context, spec, project);
  faultPoint("api:started");
  const { program, ...header } = spec;
  await applyAccepted(context.db, {
    type: "run.created",
    run_id: id,
    at: created_at,
    run: { ...header, program: { kind: program.kind, file: program.file } },
  });
}

async function askTemporal({ temporal }: ApiContext, spec: RunSpec, project: Project): Promise<void> {
  try {
    await temporal.withDeadline(temporalDeadline(), () =>
      temporal.workflow.start(spec.workflow_name, {
        workflowId: spec.run_id,
        taskQueue: TASK_QUEUE,
        args: [spec],
        workflowIdConflictPolicy: "USE_EXISTING",
        workflowIdReusePolicy: "REJECT_DUPLICATE",
        staticSummary: spec.name === spec.workflow_name ? spec.name : `${spec.workflow_name}: ${spec.name}`,
        memo: { project: project.name, run: spec.name, revision: spec.workflow_revision },
      }),
    );
  } catch (error) {
    // The id is ours: an earlier try with it has started the run, and it has ended since.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

function runnableProgram(workflow: StartableWorkflow): Program {
  if (!workflow.enabled) throw new ConflictError(`The workflow ${workflow.name} is disabled.`, "disabled");
  if (workflow.load_error) {
    const { file, message, line, column } = workflow.load_error;
    const problem = { path: file, message, line: line ?? undefined, column: column ?? undefined };
    throw new InvalidError(`The workflow ${workflow.name} cannot be loaded: ${message}`, [problem]);
  }
  if (workflow.program) return workflow.program;
  throw new InvalidError(`The workflow ${workflow.name} has not been loaded.`, [
    { path: "workflow", message: "has not been loaded" },
  ]);
}

/** The project that is asked for, or that there is no doubt about. */
async function projectFor(context: ApiContext, workflow: StartableWorkflow, { project_id, input }: StartBody): Promise<Project> {
  const { db, config } = context;
  const id = project_id ?? workflow.project_id;
  if (id !== null) return getProject(db, id);

  const [byRepo, ...others] = await projectsOfRepo(context, input);
  if (byRepo && others.length === 0) return byRepo;
  const projects = await allProjects(db);
  const [only] = projects;
  if (only && projects.length === 1) return only;
  if (only) {
    const message = `is needed: there are ${projects.length} projects`;
    throw new InvalidError(`project_id ${message}.`, [{ path: "project_id", message }]);
  }

  const folder = join(config.home, "scratch");
  await mkdir(folder, { recursive: true });
  const scratch = { id: newId("prj"), name: "scratch", path: await realpath(folder), repo: null };
  return (await createProject(db, scratch)).project;
}

/** Projects whose repository an input names as `repo: "owner/name"`. */
async function projectsOfRepo({ db }: ApiContext, input: StartBody["input"]): Promise<Project[]> {
  const repo = input !== null && typeof input === "object" && !Array.isArray(input) ? input.repo : undefined;
  const [owner, name, ...rest] = typeof repo === "string" ? repo.split("/") : [];
  return owner && name && rest.length === 0 ? findProjectByRepo(db, owner, name) : [];
}
