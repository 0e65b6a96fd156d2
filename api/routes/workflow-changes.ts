import { z } from "zod";
import { ConflictError, InvalidError } from "../../contract/errors.js";
import { Id } from "../../contract/id.js";
import { Json, JsonObject } from "../../contract/json.js";
import { Dialect, Workflow } from "../../contract/workflow.js";
import { getProject } from "../../db/projects.js";
import { slugOf, whileAlone } from "../../db/registry.js";
import { whoIsCalled } from "../../db/workflow-changes.js";
import { getWorkflow } from "../../db/workflows.js";
import {
  deleteWorkflow,
  type OpenWorkflow,
  openWorkflow,
  rollBackWorkflow,
  showWorkflow,
  updateWorkflow,
} from "../change-workflow.js";
import type { ApiContext } from "../context.js";
import { formatOf, formatOfType, renamed } from "../definition-text.js";
import { type ShownWorkflow, tagged } from "../etag.js";
import { anyCase, Flag, IdOrSlug, Name } from "../fields.js";
import { once } from "../idempotency.js";
import { addWorkflow, nameTaken, prepareWorkflow } from "../new-workflow.js";
import { type Answer, created, gone, One, ok, type Route, route } from "../route.js";
import { projectFor } from "../start-run.js";
import { InProject } from "./workflows.js";

const Shown = One(Workflow.extend({ definition: Json.nullable() }));
const Definition = z.union([z.string().min(1), JsonObject], "is needed: an object, or a text in YAML, JSON or TypeScript");
const ALIASES = { is_active: "enabled" };

/** Of `/api/workflows`: what changes workflows. Files of the project are written as the rows are. */
export function workflowChangeRoutes(context: ApiContext): Route[] {
  const { db } = context;
  const found = async (id: string, projectId?: string) => (await getWorkflow(db, id, projectId)).id;
  return [
    route({
      method: "post",
      path: "/",
      summary: "Make a workflow of a definition, and a file of its project",
      body: z.strictObject({
        project_id: Id.optional(),
        definition: Definition,
        format: anyCase(["yaml", "json", "typescript"]).optional(),
        dialect: anyCase(Dialect.options).optional(),
        path: z.string().min(1).max(300).optional(),
        enabled: z.boolean().optional(),
      }),
      aliases: ALIASES,
      answers: { 201: Shown },
      handle: async ({ body, user }, req) => {
        const { project_id, enabled = true, ...wanted } = body;
        const keyed = { userId: user.id, route: "create workflow", body, prefix: "wf" };
        const answer = await once(context, req, keyed, async (choose) => {
          const prepared = await prepareWorkflow(context, await projectFor(context, { project_id }), wanted);
          const { id } = await choose();
          const made = await addWorkflow(context, prepared, { id, enabled, user, action: "workflow.create" });
          return createdAs(await showWorkflow(context, made));
        });
        return located(answer);
      },
    }),
    route({
      method: "put",
      path: "/:id",
      summary: "Change a workflow's definition in its file, or whether it can be started",
      params: IdOrSlug,
      query: InProject,
      body: z.strictObject({ project_id: Id.optional(), definition: Definition.optional(), enabled: z.boolean().optional() }),
      aliases: ALIASES,
      answers: { 200: Shown },
      handle: async ({ params, query, body, user }, req) => {
        const { project_id, ...update } = body;
        const workflow = await getWorkflow(db, params.id, query.project_id ?? project_id);
        if (project_id !== undefined && project_id !== workflow.project_id) throw otherProject();
        if (update.definition === undefined && update.enabled === undefined) throw nothingGiven();
        await updateWorkflow(context, { id: workflow.id, req, user, action: "workflow.update" }, update);
        return tagged(ok(await showWorkflow(context, workflow.id)));
      },
    }),
    route({
      method: "patch",
      path: "/:id",
      summary: "Enable or disable a workflow",
      params: IdOrSlug,
      query: InProject,
      body: z.strictObject({ enabled: z.boolean("is needed: true or false") }),
      aliases: ALIASES,
      answers: { 200: Shown },
      handle: async ({ params, query, body, user }, req) => {
        const id = await found(params.id, query.project_id);
        await updateWorkflow(context, { id, req, user, action: "workflow.update" }, body);
        return tagged(ok(await showWorkflow(context, id)));
      },
    }),
    route({
      method: "delete",
      path: "/:id",
      summary: "Delete a workflow and its file",
      params: IdOrSlug,
      query: z.strictObject({ ...InProject.shape, force: Flag.optional() }),
      answers: { 204: null },
      handle: async ({ params, query, user }, req) => {
        const id = await found(params.id, query.project_id);
        await deleteWorkflow(context, { id, req, user, action: "workflow.delete" }, { force: query.force ?? false });
        return gone;
      },
    }),
    route({
      method: "post",
      path: "/:id/rollback",
      summary: "Make an earlier content of a workflow the newest again",
      params: IdOrSlug,
      query: InProject,
      body: z.strictObject({ revision: z.int("is needed: the number of an earlier revision").min(1) }),
      answers: { 200: Shown },
      handle: async ({ params, query, body, user }, req) => {
        const id = await found(params.id, query.project_id);
        await rollBackWorkflow(context, { id, req, user, action: "workflow.rollback" }, body.revision);
        return tagged(ok(await showWorkflow(context, id)));
      },
    }),
    route({
      method: "post",
      path: "/:id/duplicate",
      summary: "Make a workflow of the same definition under another name, or in another project",
      params: IdOrSlug,
      query: InProject,
      body: z.strictObject({ name: Name.optional(), project_id: Id.optional(), enabled: z.boolean().optional() }),
      aliases: ALIASES,
      answers: { 201: Shown },
      handle: async ({ params, query, body, user }, req) => {
        const id = await found(params.id, query.project_id);
        const keyed = { userId: user.id, route: `duplicate ${id}`, body, prefix: "wf" };
        const answer = await once(context, req, keyed, async (choose) => {
          const prepared = await prepareCopy(context, await openWorkflow(context, id), body);
          const { id: chosen } = await choose();
          const { enabled = true } = body;
          const made = await addWorkflow(context, prepared, { id: chosen, enabled, user, action: "workflow.duplicate" });
          return createdAs(await showWorkflow(context, made));
        });
        return located(answer);
      },
    }),
  ];
}

async function prepareCopy(
  context: ApiContext,
  { workflow, project, text }: OpenWorkflow,
  { name, project_id }: { name?: string | undefined; project_id?: string | undefined },
) {
  const target = project_id === undefined ? project : await getProject(context.db, project_id);
  if (workflow.load_error !== null || text === null) {
    throw new ConflictError(`The workflow ${workflow.name} does not load. Mend it first.`, "broken");
  }
  const format = workflow.path === null ? formatOfType(workflow.type) : formatOf(workflow.path);
  const called = name ?? (await freeName(context, target.id, workflow.name, target.id !== project.id));
  const source = called === workflow.name ? text : renamed(text, { format, name: called, id: slugOf(called) });
  return prepareWorkflow(context, target, { definition: source, format, dialect: workflow.dialect });
}

/** `Release`, in another project where that is free; else `Release copy`, `Release copy 2`, … */
async function freeName({ db }: ApiContext, projectId: string, name: string, mayKeep: boolean): Promise<string> {
  return whileAlone(db, projectId, async (tx) => {
    if (mayKeep && !(await whoIsCalled(tx, projectId, name))) return name;
    for (let i = 1; i <= 100; i++) {
      const copy = i === 1 ? `${name} copy` : `${name} copy ${i}`;
      if (!(await whoIsCalled(tx, projectId, copy))) return copy;
    }
    throw nameTaken(`${name} copy`, "and a hundred more");
  });
}

function createdAs(workflow: ShownWorkflow): Answer {
  return created(`/api/workflows/${workflow.id}`, workflow);
}

/** With the tag and the place of what it shows, also when the answer is a kept one. */
function located(answer: Answer): Answer {
  const { data } = answer.body as { data: ShownWorkflow }; // what both routes answer
  return tagged({ ...answer, location: `/api/workflows/${data.id}` });
}

function otherProject(): InvalidError {
  const message = "is not the workflow's own. Duplicate it to have it in another project";
  return new InvalidError(`project_id ${message}.`, [{ path: "project_id", message }]);
}

function nothingGiven(): InvalidError {
  const message = 'is needed, or "enabled"';
  return new InvalidError(`definition ${message}.`, [{ path: "definition", message }]);
}
