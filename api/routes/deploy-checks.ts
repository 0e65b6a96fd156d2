import { z } from "zod";
import { CLOSED_RUNS, DeployCheck, MOST_CLOSED_RUNS } from "../../contract/deploy-check.js";
import { Id } from "../../contract/id.js";
import { JsonObject } from "../../contract/json.js";
import { getVersion } from "../../db/workflow-changes.js";
import { getWorkflow } from "../../db/workflows.js";
import { contentOf, openWorkflow } from "../change-workflow.js";
import type { ApiContext } from "../context.js";
import { IdOrSlug } from "../fields.js";
import { One, ok, type Route, route } from "../route.js";
import { InProject } from "./workflows.js";

const closed = z.int().min(0).max(MOST_CLOSED_RUNS).default(CLOSED_RUNS);
const Definition = z.union([z.string().min(1), JsonObject], "is needed: an object, or a text in YAML, JSON or TypeScript");

/** Of `/api/workflows`: what a changed definition would mean for runs. Nothing is changed. */
export function workflowCheckRoutes(context: ApiContext): Route[] {
  const { db, checker } = context;
  return [
    route({
      method: "post",
      path: "/:id/check",
      summary: "Replay a workflow's open runs, and its last closed ones, with a changed definition",
      params: IdOrSlug,
      query: InProject,
      body: z.strictObject({ project_id: Id.optional(), definition: Definition, closed }),
      answers: { 200: One(DeployCheck) },
      handle: async ({ params, query, body }) => {
        const { id } = await getWorkflow(db, params.id, query.project_id ?? body.project_id);
        const open = await openWorkflow(context, id);
        const { text, loaded } = await contentOf(context, open, body.definition);
        const latest = await getVersion(db, id, open.workflow.revision);
        const revision = latest?.hash === loaded.hash ? latest.revision : open.workflow.revision + 1;
        const { program } = loaded;
        return ok(await checker.definition({ workflow_id: id, revision, program, text, closed: body.closed }));
      },
    }),
  ];
}

/** Of `/api/builds`: what another build of Longhaul would mean for runs. Nothing is changed. */
export function buildRoutes({ db, checker }: ApiContext): Route[] {
  return [
    route({
      method: "post",
      path: "/check",
      summary: "Replay open runs, and each workflow's last closed ones, with another build of Longhaul",
      body: z.strictObject({
        /** The folder it is installed in, absolute, on the server's machine. */
        build: z.string("is needed: the folder of the other Longhaul").min(1).max(4_096),
        workflow_id: IdOrSlug.shape.id.optional(),
        project_id: Id.optional(),
        closed,
      }),
      answers: { 200: One(DeployCheck) },
      handle: async ({ body: { build, workflow_id, project_id, closed } }) => {
        const workflow = workflow_id === undefined ? undefined : await getWorkflow(db, workflow_id, project_id);
        return ok(await checker.build({ folder: build, workflow_id: workflow?.id, closed }));
      },
    }),
  ];
}
