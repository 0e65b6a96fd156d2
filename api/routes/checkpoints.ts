import { z } from "zod";
import { Checkpoint, CheckpointCheck, CheckpointLabel, CheckpointStats, WholeCheckpoint } from "../../contract/checkpoint.js";
import { ConflictError } from "../../contract/errors.js";
import { Id, newId } from "../../contract/id.js";
import { SIGNAL } from "../../contract/messages.js";
import { isFinished, type RunStatus } from "../../contract/run.js";
import { recordAudit } from "../../db/audit.js";
import { checkpointStats } from "../../db/checkpoint-stats.js";
import { getCheckpoint, latestStep, listCheckpoints } from "../../db/checkpoints.js";
import { applyAccepted } from "../../db/projection.js";
import { getRunState } from "../../db/runs.js";
import type { User } from "../../db/tokens.js";
import { checkCheckpoint } from "../check-checkpoint.js";
import type { ApiContext } from "../context.js";
import { ById, onePlace, pageFields } from "../fields.js";
import { created, listed, Many, One, ok, type Route, route } from "../route.js";
import { signalRun, tellRun } from "../tell-run.js";

/** Checkpoints by their own ids. */
export function checkpointRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/stats",
      summary: "Count checkpoints: how many, of what size and age, and of which runs",
      query: z.strictObject({ run_id: Id.optional(), project_id: Id.optional() }),
      answers: { 200: One(CheckpointStats) },
      handle: async ({ query }) => ok(await checkpointStats(db, query)),
    }),
    route({
      method: "get",
      path: "/:id",
      summary: "Get a checkpoint with the results it stands on and where its tree and its file are",
      params: ById,
      answers: { 200: One(WholeCheckpoint) },
      handle: async ({ params }) => ok((await getCheckpoint(db, params.id)).checkpoint),
    }),
    route({
      method: "get",
      path: "/:id/validate",
      summary: "Look whether a checkpoint's tree, file and results are there as they were kept; changes nothing",
      params: ById,
      answers: { 200: One(CheckpointCheck) },
      handle: async ({ params }) => ok(await checkCheckpoint(context, params.id)),
    }),
    route({
      method: "patch",
      path: "/:id",
      summary: "Give a checkpoint a label, or take it away with null",
      params: ById,
      body: z.strictObject({ label: CheckpointLabel.nullable() }),
      answers: { 200: One(WholeCheckpoint) },
      handle: async ({ params, body, user }) => {
        const { checkpoint } = await getCheckpoint(db, params.id);
        if (checkpoint.label === body.label) return ok(checkpoint);
        await label(context, checkpoint, body.label, user);
        return ok((await getCheckpoint(db, params.id)).checkpoint);
      },
    }),
  ];
}

/** A run's own checkpoints. */
export function runCheckpointRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/:id/checkpoints",
      summary: "List a run's checkpoints",
      params: ById,
      query: z.strictObject(pageFields),
      refine: onePlace,
      answers: { 200: Many(Checkpoint) },
      handle: async ({ params, query }) => {
        await getRunState(db, params.id);
        return listed(await listCheckpoints(db, params.id, query));
      },
    }),
    route({
      method: "post",
      path: "/:id/checkpoints",
      summary: "Make a checkpoint with a label at the step that completed last, of a run under way",
      params: ById,
      body: z.strictObject({ label: CheckpointLabel }),
      answers: { 201: One(WholeCheckpoint) },
      handle: async ({ params, body, user }) => {
        const id = await mark(context, params.id, body.label, user);
        return created(`/api/checkpoints/${id}`, (await getCheckpoint(db, id)).checkpoint);
      },
    }),
  ];
}

async function label(context: ApiContext, { id, run_id }: Checkpoint, text: string | null, user: User): Promise<void> {
  const run = await getRunState(context.db, run_id);
  const request = { id: newId("req"), at: new Date().toISOString(), by: user.id };
  const what = { checkpoint_id: id, label: text };
  await tellRun(context, run, {
    signal: SIGNAL.label,
    message: { ...request, ...what },
    fact: { type: "checkpoint.labelled", run_id, at: request.at, request: request.id, ...what },
  });
  await recordAudit(context.db, { user_id: user.id, action: "checkpoint.label", subject: id, data: { run_id, label: text } });
}

/**
 * @returns the new checkpoint's id
 * @throws {ConflictError} when the run has ended, or no step of it has completed.
 */
async function mark(context: ApiContext, runId: string, text: string, user: User): Promise<string> {
  const { status } = await getRunState(context.db, runId);
  if (isFinished(status)) throw hasEnded(status);
  const step = await latestStep(context.db, runId);
  if (!step) throw new ConflictError("No step of the run has completed yet: there is nothing to come back to.", "no_step");
  const request = { id: newId("req"), at: new Date().toISOString(), by: user.id };
  const id = newId("ckp");
  const message = { ...request, checkpoint_id: id, step, label: text };
  if (!(await signalRun(context, runId, SIGNAL.checkpoint, message)))
    throw hasEnded((await getRunState(context.db, runId)).status);
  await applyAccepted(context.db, {
    type: "checkpoint.created",
    run_id: runId,
    at: request.at,
    id,
    step,
    label: text,
    created_by: "user",
    tree: null,
    request: request.id,
  });
  await recordAudit(context.db, {
    user_id: user.id,
    action: "checkpoint.create",
    subject: id,
    data: { run_id: runId, label: text },
  });
  return id;
}

function hasEnded(status: RunStatus): ConflictError {
  const why = isFinished(status) ? `The run is ${status}` : "The run has ended";
  return new ConflictError(`${why}: label one of the checkpoints it has left (PATCH /api/checkpoints/:id).`, "finished");
}
