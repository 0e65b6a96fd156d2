import { z } from "zod";
import { Id } from "../../contract/id.js";
import { Json } from "../../contract/json.js";
import { Time } from "../../contract/time.js";
import { WholeRun } from "../../contract/whole-run.js";
import { Dialect, Workflow } from "../../contract/workflow.js";
import { findWorkflow, getDefinition, getWorkflow, listVersions, listWorkflows } from "../../db/workflows.js";
import type { ApiContext } from "../context.js";
import { tagged } from "../etag.js";
import { Flag, IdOrSlug, onePlace, pageFields, wordList } from "../fields.js";
import { once } from "../idempotency.js";
import { readRun } from "../read-run.js";
import { created, listed, Many, One, ok, type Route, route } from "../route.js";
import { prepareRun, StartBody, startRun } from "../start-run.js";

export const InProject = z.strictObject({ project_id: Id.optional() });
const Version = z.object({ workflow_id: Id, revision: z.int(), hash: z.string(), loaded: z.boolean(), created_at: Time });

/** Several tags, with commas between them. */
const Tags = z
  .string()
  .max(2_000)
  .transform((text) => text.split(",").map((tag) => tag.trim()))
  .pipe(z.array(z.string().min(1, "has an empty tag")).max(50));

export function workflowRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/",
      summary: "List workflows, or search them in name, tags, author and description",
      query: z.strictObject({
        ...pageFields,
        project_id: Id.optional(),
        is_active: Flag.optional(),
        q: z.string().max(200).optional(),
        tags: Tags.optional(),
        author: z.string().min(1).max(200).optional(),
        dialect: wordList(Dialect.options).optional(),
      }),
      refine: onePlace,
      answers: { 200: Many(Workflow) },
      handle: async ({ query: { dialect, ...filter } }) => listed(await listWorkflows(db, { ...filter, dialects: dialect })),
    }),
    route({
      method: "get",
      path: "/:id",
      summary: "Get a workflow by id, or by slug, with its definition",
      params: IdOrSlug,
      query: InProject,
      answers: { 200: One(Workflow.extend({ definition: Json.nullable() })) },
      handle: async ({ params, query }) => {
        const workflow = await getWorkflow(db, params.id, query.project_id);
        return tagged(ok({ ...workflow, definition: await getDefinition(db, workflow) }));
      },
    }),
    route({
      method: "get",
      path: "/:id/versions",
      summary: "List the contents a workflow has had",
      params: IdOrSlug,
      query: z.strictObject({ ...pageFields, ...InProject.shape }),
      refine: onePlace,
      answers: { 200: Many(Version) },
      handle: async ({ params, query }) => {
        const workflow = await getWorkflow(db, params.id, query.project_id);
        return listed(await listVersions(db, workflow.id, query));
      },
    }),
    route({
      method: "post",
      path: "/:id/execute",
      summary: "Start a run of a workflow",
      params: IdOrSlug,
      query: InProject,
      body: StartBody,
      aliases: { args: "input" },
      answers: { 201: One(WholeRun) },
      handle: async ({ params, query, body, user }, req) => {
        const workflow = await findWorkflow(db, params.id, body.project_id ?? query.project_id);
        return once(context, req, { userId: user.id, route: `execute ${workflow.id}`, body, prefix: "run" }, async (choose) => {
          const prepared = await prepareRun(context, workflow, body, user);
          const chosen = await choose();
          await startRun(context, prepared, { ...chosen, workflow });
          return created(`/api/runs/${chosen.id}`, await readRun(context, chosen.id));
        });
      },
    }),
  ];
}
