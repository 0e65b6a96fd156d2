import { z } from "zod";
import { ConflictError, InvalidError } from "../contract/errors.js";
import { Json, JsonObject } from "../contract/json.js";
import type { Program } from "../contract/run-spec.js";
import type { WholeRun } from "../contract/whole-run.js";
import { hasCheckpoints } from "../db/checkpoints.js";
import { getProject } from "../db/projects.js";
import { getRun, getRunState, type RunState } from "../db/runs.js";
import { lastTree, type SeededBrief, seededSteps } from "../db/seed.js";
import type { User } from "../db/tokens.js";
import { getProgram } from "../db/workflows.js";
import type { ApiContext } from "./context.js";
import { isRepository } from "./git.js";
import { type PreparedRun, type RunIdentity, withStrategy } from "./start-run.js";

/** What is otherwise in a run that goes on from another one. */
export const ForkBody = z.strictObject({
  /** The first step that is done anew. */
  step_number: z.int().min(1),
  input: Json.optional(),
  /** Outputs that count instead of what earlier steps gave, by the step's key (its last doing) or number. */
  outputs: JsonObject.optional(),
  /** Of the workflow; left out: the run's own. */
  revision: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .optional(),
  /** Only say what would be made of the steps before. */
  dry_run: z.boolean().optional(),
});
export type ForkBody = z.output<typeof ForkBody>;

/**
 * Find and check all that a run needs which goes on from another one: whatever had ended there before the given step is not done again.
 *
 * @throws {InvalidError} with every wrong place; {NotFoundError} for the run or the revision.
 */
export async function prepareFork(
  context: ApiContext,
  id: string,
  body: ForkBody,
  user: User,
): Promise<PreparedRun & Pick<RunIdentity, "workflow">> {
  const { db, loader } = context;
  const [state, run] = await Promise.all([getRunState(db, id), getRun(db, id)]);
  const before = body.step_number;
  const last = run.steps.at(-1)?.step_number ?? 0;
  if (before > last + 1) {
    const message = `is past the end: the run's last step is ${last}`;
    throw new InvalidError(`step_number ${message}.`, [{ path: "step_number", message }]);
  }
  const program = await programOf(context, state, body.revision);
  const input = await loader.checkInput(program, body.input ?? state.header.input);
  if (!input.ok) throw new InvalidError("The input does not fit the workflow.", input.problems);

  const steps = await seededSteps(db, { run_id: id, before });
  const outputs = outputsOf(steps, body.outputs ?? {});
  const project = await getProject(db, state.project_id);
  const hasGit = await isRepository(project.path);
  const {
    workspace,
    run_id: _,
    created_at: __,
    workflow_id: ___,
    workflow_revision: ____,
    program: _____,
    ...header
  } = state.header;
  const tree = hasGit ? await lastTree(db, id, steps) : undefined;
  const anyDone = steps.some(({ status }) => status === "completed");
  if (hasGit && !tree && anyDone && !(await hasCheckpoints(db, id))) throw withoutTrees(id);
  return {
    project,
    workflow: { id: state.header.workflow_id, revision: body.revision ?? state.header.workflow_revision },
    mode: hasGit ? (workspace.mode === "clone" ? "clone" : "worktree") : "in_place",
    baseBranch: workspace.base_branch,
    ...(tree && { from: { run_id: id, ...tree, path: workspace.path, branch: run.branch_name } }),
    ...(!tree && run.branch_name !== null && { insteadOf: run.branch_name }),
    spec: {
      ...header,
      user_id: user.id,
      program,
      input: input.input,
      continue_after: context.config.continueAfter,
      triggered_by: "fork",
      parent_run_id: id,
      seed: { run_id: id, before, ...(Object.keys(outputs).length > 0 ? { outputs } : {}) },
    },
  };
}

/**
 * The number of the step with which a run failed.
 *
 * @throws {ConflictError} `not_failed`.
 */
export function failedStep({ id, status, error, steps }: Pick<WholeRun, "id" | "status" | "error" | "steps">): number {
  const failed = steps.findLast(
    (step) => step.status === "failed" && (error?.step_id === undefined || step.step_id === error.step_id),
  );
  if (failed) return failed.step_number;
  throw new ConflictError(
    `The run ${id} is ${status}, and no step of it has failed. Fork it at the step you mean.`,
    "not_failed",
  );
}

function withoutTrees(id: string): ConflictError {
  const why = `The checkpoints of the run ${id} have been removed, and with them the code that its steps left.`;
  return new ConflictError(`${why} Fork it at step 1, or start its workflow anew.`, "checkpoints_removed");
}

/** @throws {InvalidError} when it was never loaded. */
export async function programOf({ db }: ApiContext, { header }: RunState, revision: number | undefined): Promise<Program> {
  const program = await getProgram(db, header.workflow_id, revision ?? header.workflow_revision);
  if (program) return withStrategy(program, header.on_failure);
  const message = "was never loaded";
  throw new InvalidError(`This revision of the workflow ${message}.`, [{ path: "revision", message }]);
}

/** By step number. */
function outputsOf(steps: readonly SeededBrief[], given: JsonObject): JsonObject {
  const problems: { path: string; message: string }[] = [];
  const outputs: JsonObject = {};
  for (const [name, output] of Object.entries(given)) {
    const byNumber = steps.find(({ number }) => String(number) === name);
    const step = byNumber ?? steps.filter(({ key }) => key === name).sort((a, b) => b.number - a.number)[0];
    if (step) outputs[step.number] = output;
    else problems.push({ path: `outputs.${name}`, message: "is no step that had ended before" });
  }
  if (problems.length === 0) return outputs;
  throw new InvalidError(problems.map(({ path, message }) => `${path} ${message}`).join("; "), problems);
}
