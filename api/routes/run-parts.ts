import { z } from "zod";
import { Artifact, ArtifactType } from "../../contract/artifact.js";
import { LogLevel, LogLine } from "../../contract/log.js";
import { Step } from "../../contract/step.js";
import { listArtifacts } from "../../db/artifacts.js";
import { readLogChunks } from "../../db/log-chunks.js";
import { listLogLines } from "../../db/log-lines.js";
import { getRunState } from "../../db/runs.js";
import { listSteps } from "../../db/steps.js";
import { attachmentHeaders } from "../attachment.js";
import type { ApiContext } from "../context.js";
import { anyCase, ById, Flag, onePlace, pageFields } from "../fields.js";
import { listed, Many, type Route, route } from "../route.js";

/** A step's row id, as queries name it. */
export const StepRowId = z.string().min(1).max(80);

/** Lists of what belongs to a run. */
export function runPartRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/:id/steps",
      summary: "List a run's steps",
      params: ById,
      query: z.strictObject({ ...pageFields, superseded: Flag.optional() }),
      refine: onePlace,
      answers: { 200: Many(Step) },
      handle: async ({ params, query }) => {
        await getRunState(db, params.id);
        return listed(await listSteps(db, params.id, query));
      },
    }),
    route({
      method: "get",
      path: "/:id/artifacts",
      summary: "List a run's artifacts",
      params: ById,
      query: z.strictObject({ ...pageFields, step_id: StepRowId.optional(), type: anyCase(ArtifactType.options).optional() }),
      refine: onePlace,
      answers: { 200: Many(Artifact) },
      handle: async ({ params, query }) => {
        await getRunState(db, params.id);
        return listed(await listArtifacts(db, params.id, query));
      },
    }),
    route({
      method: "get",
      path: "/:id/logs",
      summary: "List what a run and its steps have written; `level` and all above",
      params: ById,
      query: z.strictObject({ ...pageFields, step_id: StepRowId.optional(), level: anyCase(LogLevel.options).optional() }),
      refine: onePlace,
      answers: { 200: Many(LogLine) },
      handle: async ({ params, query }) => {
        await getRunState(db, params.id);
        return listed(await listLogLines(db, params.id, query));
      },
    }),
    route({
      method: "get",
      path: "/:id/logs/download",
      summary: "Download a run's whole log as text",
      params: ById,
      answers: { 200: null },
      media: { answer: "text/plain" },
      handle: async ({ params: { id } }, req, res) => {
        await getRunState(db, id);
        let chunks = await readLogChunks(db, id);
        res.writeHead(200, { "Content-Type": "text/plain; charset=utf-8", ...attachmentHeaders(`${id}.log`) });
        while (chunks.length > 0 && req.method !== "HEAD" && !res.destroyed) {
          const text = chunks.map(logText).join("");
          if (!res.write(text)) await new Promise((resolve) => res.once("drain", resolve).once("close", resolve));
          chunks = await readLogChunks(db, id, { after: chunks.at(-1)?.id });
        }
        res.end();
        return null;
      },
    }),
  ];
}

/** Each line of a piece with its time, level and step. */
function logText(chunk: { at: Date; level: string; stepId: string | null; text: string }): string {
  const from = `${chunk.at.toISOString()} ${chunk.level.padEnd(5)} ${chunk.stepId ?? "-"} `;
  const lines = chunk.text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => `${from}${line}\n`).join("");
}
