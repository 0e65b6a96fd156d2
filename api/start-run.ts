import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { WorkflowExecutionAlreadyStartedError } from "@temporalio/client";
import { z } from "zod";
import { TASK_QUEUE } from "../config.js";
import { ConflictError, InvalidError } from "../contract/errors.js";
import { Id, newId } from "../contract/id.js";
import { Json, JsonObject } from "../contract/json.js";
import type { Project } from "../contract/project.js";
import type { Program, RunSpec, TreeOrigin, WorkspaceSpec } from "../contract/run-spec.js";
import { applyAccepted } from "../db/projection.js";
import { allProjects, createProject, findProjectByRepo, getProject } from "../db/projects.js";
import { getRunState } from "../db/runs.js";
import type { User } from "../db/tokens.js";
import type { StartableWorkflow } from "../db/workflows.js";
import { type FailureStrategy, withFailureStrategy } from "../definition/failure-strategy.js";
import { faultPoint } from "../fault.js";
import { isBranchName } from "./branch-name.js";
import type { ApiContext } from "./context.js";
import { anyCase, Name } from "./fields.js";
import { isRepository } from "./git.js";
import type { Chosen } from "./idempotency.js";
import { resumeFrom } from "./resume-from.js";
import { contextOf, type GivenContext } from "./run-context.js";
import { temporalDeadline } from "./temporal-away.js";

/** How a run is started, besides the workflow. */
export const StartOptions = z.strictObject({
  triggered_by: Name.optional(),
  priority: z.int().min(0).max(1_000_000).optional(),
  parent_run_id: Id.optional(),
  context: JsonObject.optional(),
  workspace: anyCase(["worktree", "in_place", "clone"]).optional(),
  base_branch: z.string().refine(isBranchName, "is not the name of a branch").optional(),
  on_failure: anyCase(["stop", "continue", "retry"]).optional(),
  interactive: z.boolean().optional(),
  resume_from_checkpoint: z.string().min(1).max(100).optional(),
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
  spec: Omit<RunSpec, "run_id" | "created_at" | "workspace" | "workflow_id" | "workflow_revision">;
  project: Project;
  mode: WorkspaceSpec["mode"];
  baseBranch: string | null;
  /** The tree of another run that this one begins with. */
  from?: TreeOrigin;
  /** The branch of another run that has it: this one has its own in its place. */
  insteadOf?: string;
}

/** What is run, before it is known as which workflow. */
export type Startable = Pick<
  StartableWorkflow,
  "name" | "phases" | "timeout_ms" | "project_id" | "enabled" | "load_error" | "program"
>;

/** A run's id, and the content that it is a run of. */
export interface RunIdentity extends Chosen {
  workflow: Pick<StartableWorkflow, "id" | "revision">;
}

/** A start, and what comes with a definition that comes with it. */
export type Start = StartBody & Pick<GivenContext, "variables" | "repo">;

/**
 * Find and check all that a start needs.
 *
 * @throws {InvalidError} with every wrong place of the input, or where the definition itself is wrong.
 * @throws {ConflictError} `disabled`.
 */
export async function prepareRun(context: ApiContext, workflow: Startable, body: Start, user: User): Promise<PreparedRun> {
  const { options = {} } = body;
  const program = withStrategy(runnableProgram(workflow), options.on_failure);
  if (options.parent_run_id !== undefined) await getRunState(context.db, options.parent_run_id);
  const input = await context.loader.checkInput(program, body.input ?? {});
  if (!input.ok) throw new InvalidError(`The input does not fit the workflow ${workflow.name}.`, input.problems);

  const project_id = body.project_id ?? workflow.project_id ?? undefined;
  const project = await projectFor(context, { project_id, repo: repoOf(body.input) });
  const resumed = options.resume_from_checkpoint && (await resumeFrom(context, options.resume_from_checkpoint, project.id));
  const { seed, from } = resumed || {};
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
    ...(from && mode !== "in_place" ? { from } : {}),
    spec: {
      name: body.name ?? workflow.name,
      project_id: project.id,
      project_path: project.path,
      user_id: user.id,
      workflow_name: workflow.name,
      phases: workflow.phases,
      program,
      input: input.input,
      context: contextOf({ ...body, context: options.context }, project, program),
      ...(options.on_failure === undefined ? {} : { on_failure: options.on_failure }),
      ...(options.interactive === undefined ? {} : { interactive: options.interactive }),
      continue_after: context.config.continueAfter,
      timeout_ms: workflow.timeout_ms,
      triggered_by: options.triggered_by ?? null,
      priority: options.priority ?? null,
      parent_run_id: options.parent_run_id ?? seed?.run_id ?? null,
      ...(seed && { seed }),
    },
  };
}

/** Ask Temporal to run it, then write the row. Both are safe to repeat with the same choice. */
export async function startRun(
  context: ApiContext,
  prepared: PreparedRun,
  { id, created_at, workflow }: RunIdentity,
): Promise<void> {
  const { project, mode, baseBranch, from, insteadOf } = prepared;
  const path = mode === "in_place" ? project.path : join(context.config.home, "worktrees", project.id, id);
  const spec: RunSpec = {
    ...prepared.spec,
    run_id: id,
    workflow_id: workflow.id,
    workflow_revision: workflow.revision,
    created_at,
    workspace: { mode, path, base_branch: baseBranch, ...(from && { from }), ...(insteadOf && { instead_of: insteadOf }) },
  };
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

/** A plan says itself what follows a failure; what code does then is in the code. */
export function withStrategy(program: Program, strategy: FailureStrategy | undefined): Program {
  if (strategy === undefined) return program;
  if (program.kind === "plan") return { ...program, plan: withFailureStrategy(program.plan, strategy) };
  const message = "is for workflows in YAML and JSON: one in TypeScript decides itself what follows a failed step";
  throw new InvalidError(`options.on_failure ${message}.`, [{ path: "options.on_failure", message }]);
}

function runnableProgram(workflow: Startable): Program {
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

/** A repository, as a project may be found by it. */
export interface RepoName {
  owner: string;
  name: string;
}

/**
 * The project that is asked for, or that there is no doubt about. On an empty install it is made: `scratch`.
 *
 * @throws {InvalidError} `project_id`, when there are several.
 * @throws {NotFoundError}
 */
export async function projectFor(
  { db, config }: ApiContext,
  { project_id, repo }: { project_id?: string | undefined; repo?: RepoName | undefined },
): Promise<Project> {
  if (project_id !== undefined) return getProject(db, project_id);

  const [byRepo, ...others] = repo ? await findProjectByRepo(db, repo.owner, repo.name) : [];
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

/** The repository that an input names as `repo: "owner/name"`. */
function repoOf(input: StartBody["input"]): RepoName | undefined {
  const repo = input !== null && typeof input === "object" && !Array.isArray(input) ? input.repo : undefined;
  const [owner, name, ...rest] = typeof repo === "string" ? repo.split("/") : [];
  return owner && name && rest.length === 0 ? { owner, name } : undefined;
}
