import type { Request, Response } from "express";
import { z } from "zod";
import { Artifact } from "../../contract/artifact.js";
import { InvalidError, NotFoundError } from "../../contract/errors.js";
import { Id, newId } from "../../contract/id.js";
import { SIGNAL } from "../../contract/messages.js";
import { getArtifact } from "../../db/artifacts.js";
import { isCommentOf } from "../../db/comments.js";
import { getRunState } from "../../db/runs.js";
import type { User } from "../../db/tokens.js";
import { sendAttachment } from "../attachment.js";
import type { ApiContext } from "../context.js";
import { ById, Flag } from "../fields.js";
import { HttpError } from "../problem.js";
import { One, ok, type Route, route } from "../route.js";
import { hashOf, openRunFile } from "../stored-file.js";
import { tellRun } from "../tell-run.js";

export function artifactRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/:id",
      summary: "Download an artifact's bytes; with `meta=1` its row",
      params: ById,
      query: z.strictObject({ meta: Flag.optional() }),
      answers: { 200: One(Artifact) },
      media: { answer: "application/octet-stream" },
      handle: async ({ params, query }, req, res) => {
        if (query.meta) return ok((await getArtifact(db, params.id)).artifact);
        await download(context, params.id, req, res);
        return null;
      },
    }),
    route({
      method: "get",
      path: "/:id/download",
      summary: "Download an artifact's bytes",
      params: ById,
      answers: { 200: null },
      media: { answer: "application/octet-stream" },
      handle: async ({ params }, req, res) => {
        await download(context, params.id, req, res);
        return null;
      },
    }),
    route({
      method: "patch",
      path: "/:id/attach",
      summary: "Attach an artifact to a comment of its run",
      params: ById,
      body: z.strictObject({ comment_id: Id }),
      aliases: { workflow_comment_id: "comment_id" },
      answers: { 200: One(Artifact) },
      handle: async ({ params, body, user }) => {
        const { artifact } = await getArtifact(db, params.id);
        if (!(await isCommentOf(db, artifact.run_id, body.comment_id))) {
          const message = "names no comment of the artifact's run";
          throw new InvalidError(`comment_id ${message}.`, [{ path: "comment_id", message }]);
        }
        return ok(await attach(context, artifact, body.comment_id, user));
      },
    }),
    route({
      method: "delete",
      path: "/:id/detach",
      summary: "Detach an artifact from its comment",
      params: ById,
      answers: { 200: One(Artifact) },
      handle: async ({ params, user }) => {
        const { artifact } = await getArtifact(db, params.id);
        return ok(await attach(context, artifact, null, user));
      },
    }),
  ];
}

async function attach(context: ApiContext, artifact: Artifact, commentId: string | null, user: User): Promise<Artifact> {
  if (artifact.workflow_comment_id === commentId) return artifact;
  const run = await getRunState(context.db, artifact.run_id);
  const request = { id: newId("req"), at: new Date().toISOString(), by: user.id };
  const what = { artifact_id: artifact.id, comment_id: commentId };
  await tellRun(context, run, {
    signal: SIGNAL.attach,
    message: { ...request, ...what },
    fact: { type: "artifact.attached", run_id: run.id, at: request.at, request: request.id, ...what },
  });
  return (await getArtifact(context.db, artifact.id)).artifact;
}

/** Bytes that are not what was stored are never sent. */
async function download({ db }: ApiContext, id: string, req: Request, res: Response): Promise<void> {
  const { artifact, project_path } = await getArtifact(db, id);
  const handle = await openRunFile(project_path, artifact.run_id, artifact.file_path);
  if (!handle) throw new NotFoundError("file of artifact", id);
  const { size } = await handle.stat();
  if (size !== artifact.size_bytes || (await hashOf(handle)) !== artifact.sha256) {
    await handle.close();
    throw new HttpError(500, "artifact_corrupted", "The stored file is not the one that was kept: its hash does not match.");
  }
  await sendAttachment(req, res, { handle, name: artifact.name, mimeType: artifact.mime_type, size });
}
