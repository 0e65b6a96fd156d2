import type { Request } from "express";
import { z } from "zod";
import { ConflictError } from "../../contract/errors.js";
import { ForkDryRun } from "../../contract/fork-dry-run.js";
import { Id } from "../../contract/id.js";
import { MAX_LIMIT } from "../../contract/page.js";
import { isFinished, Run, RunStatus } from "../../contract/run.js";
import { WholeRun } from "../../contract/whole-run.js";
import { recordAudit } from "../../db/audit.js";
import { deleteRun } from "../../db/projection.js";
import { pointAt, type RestorePoint } from "../../db/restore.js";
import { getRun, getRunState, listRuns } from "../../db/runs.js";
import type { User } from "../../db/tokens.js";
import { findWorkflow } from "../../db/workflows.js";
import type { ApiContext } from "../context.js";
import { cancelRun, pauseRun, resumeRun } from "../control-run.js";
import { anyCase, ById, Flag, onePlace, pageFields, wordList } from "../fields.js";
import { dryRunFork } from "../fork-dry-run.js";
import { type ForkBody as Fork, ForkBody, failedStep, prepareFork } from "../fork-run.js";
import { once } from "../idempotency.js";
import { readRun, withLink } from "../read-run.js";
import { type AskedRestore, pointOfRetry, restoreRun } from "../restore-run.js";
import { created, gone, listed, Many, One, ok, type Route, route } from "../route.js";
import { deleteExecutions, deleteFiles } from "../run-remains.js";
import { prepareRun, startFields, startRun } from "../start-run.js";

const RunQuery = z.strictObject({
  ...pageFields,
  ids: z
    .string()
    .transform((ids) => ids.split(","))
    .pipe(z.array(Id).min(1).max(MAX_LIMIT))
    .optional(),
  project_id: Id.optional(),
  workflow_id: Id.optional(),
  status: wordList(RunStatus.options).optional(),
  branch: z.string().min(1).max(250).optional(),
  parent_run_id: Id.optional(),
  q: z.string().max(200).optional(),
});

const NewRun = z.strictObject({ workflow: z.string().min(1).max(200), ...startFields });

/** Runs themselves; what belongs to them is in `run-parts.ts`. */
export function runRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/",
      summary: "List runs",
      query: RunQuery,
      refine: onePlace,
      answers: { 200: Many(Run) },
      handle: async ({ query }) => {
        const { items, page } = await listRuns(db, query);
        return listed({ items: items.map((run) => withLink(context, run)), page });
      },
    }),
    route({
      method: "post",
      path: "/",
      summary: "Start a run of a workflow",
      body: NewRun,
      aliases: { workflow_id: "workflow", workflow_definition_id: "workflow", args: "input" },
      answers: { 201: One(WholeRun) },
      handle: async ({ body, user }, req) =>
        once(context, req, { userId: user.id, route: "create run", body, prefix: "run" }, async (choose) => {
          const workflow = await findWorkflow(db, body.workflow, body.project_id);
          const prepared = await prepareRun(context, workflow, body, user);
          const chosen = await choose();
          await startRun(context, prepared, { ...chosen, workflow });
          return created(`/api/runs/${chosen.id}`, await readRun(context, chosen.id));
        }),
    }),
    route({
      method: "get",
      path: "/:id",
      summary: "Get a run with its last steps, comments and artifacts",
      params: ById,
      query: z.strictObject({ superseded: Flag.default(false) }),
      answers: { 200: One(WholeRun) },
      handle: async ({ params, query }) => ok(await readRun(context, params.id, query)),
    }),
    route({
      method: "delete",
      path: "/:id",
      summary: "Delete a finished run with all below it",
      params: ById,
      answers: { 204: null },
      handle: async ({ params: { id }, user }) => {
        const run = await getRunState(db, id);
        if (!isFinished(run.status)) throw new ConflictError(`The run is ${run.status}. Cancel it first.`, "in_use");
        await deleteExecutions(context, id);
        await deleteRun(db, id);
        await recordAudit(db, { user_id: user.id, action: "run.delete", subject: id, data: { name: run.header.name } });
        await deleteFiles(context, { runId: id, projectId: run.project_id, projectPath: run.project_path });
        return gone;
      },
    }),
  ];
}

/** Pause, resume, cancel. */
export function runControlRoutes(context: ApiContext): Route[] {
  return [
    route({
      method: "post",
      path: "/:id/pause",
      summary: "Pause a run before its next step, or now",
      params: ById,
      body: z.strictObject({ mode: anyCase(["boundary", "now"]).default("boundary") }),
      answers: { 200: One(WholeRun) },
      handle: async ({ params, body, user }) => {
        await pauseRun(context, params.id, user, body.mode);
        return ok(await readRun(context, params.id));
      },
    }),
    route({
      method: "post",
      path: "/:id/resume",
      summary: "Let a paused run go on",
      params: ById,
      answers: { 200: One(WholeRun) },
      handle: async ({ params, user }) => {
        await resumeRun(context, params.id, user);
        return ok(await readRun(context, params.id));
      },
    }),
    route({
      method: "post",
      path: "/:id/cancel",
      summary: "Cancel a run; 202 when its end takes over 5 s",
      params: ById,
      body: z.strictObject({ reason: z.string().max(10_000).optional() }),
      answers: { 200: One(WholeRun), 202: One(WholeRun) },
      handle: async ({ params, body, user }) => {
        const done = await cancelRun(context, params.id, user, body);
        return { status: done ? 200 : 202, body: { data: await readRun(context, params.id) } };
      },
    }),
    route({
      method: "post",
      path: "/:id/fork",
      summary:
        "Start a run that goes on from a step of this one, with what had ended before it; or say what that would make of it",
      params: ById,
      body: ForkBody,
      aliases: { args: "input" },
      answers: { 200: One(ForkDryRun), 201: One(WholeRun) },
      handle: async ({ params, body, user }, req) =>
        body.dry_run ? ok(await dryRunFork(context, params.id, body, user)) : fork(params.id, body, user, req),
    }),
    route({
      method: "post",
      path: "/:id/restore",
      summary: "Take a run back to one of its checkpoints, whatever it is at, and have it go on from there",
      params: ById,
      body: z.strictObject({ checkpoint_id: z.string().min(1).max(100) }),
      answers: { 200: One(WholeRun) },
      handle: async ({ params: { id }, body, user }, req) =>
        restore(id, { action: "run.restore", body, point: () => pointAt(context.db, id, body.checkpoint_id) }, user, req),
    }),
    route({
      method: "post",
      path: "/:id/retry",
      summary: "Do the step with which a run failed again, and go on: in the same run, or in a fork",
      params: ById,
      body: z.strictObject({ mode: anyCase(["restore", "fork"]).default("restore") }),
      answers: { 200: One(WholeRun), 201: One(WholeRun) },
      handle: async ({ params: { id }, body, user }, req) => {
        if (body.mode === "fork") return fork(id, { step_number: failedStep(await getRun(context.db, id)) }, user, req);
        return restore(id, { action: "run.retry", body, point: () => pointOfRetry(context, id) }, user, req);
      },
    }),
  ];

  async function restore(
    id: string,
    { action, body, point }: Pick<AskedRestore, "action"> & { body: unknown; point: () => Promise<RestorePoint> },
    user: User,
    req: Request,
  ) {
    await getRunState(context.db, id);
    return once(context, req, { userId: user.id, route: `${action} ${id}`, body, prefix: "req" }, async (choose) => {
      await restoreRun(context, id, point, { ...(await choose()), user, action });
      return ok(await readRun(context, id));
    });
  }

  async function fork(id: string, body: Fork, user: User, req: Request) {
    const asked = { userId: user.id, route: `fork ${id}`, body, prefix: "run" };
    return once(context, req, asked, async (choose) => {
      const prepared = await prepareFork(context, id, body, user);
      const chosen = await choose();
      await startRun(context, prepared, { ...chosen, workflow: prepared.workflow });
      return created(`/api/runs/${chosen.id}`, await readRun(context, chosen.id));
    });
  }
}
