import { realpath, stat } from "node:fs/promises";
import { basename, isAbsolute } from "node:path";
import { z } from "zod";
import { ConflictError, InvalidError } from "../../contract/errors.js";
import { newId } from "../../contract/id.js";
import { Json } from "../../contract/json.js";
import { Project } from "../../contract/project.js";
import { SettingsChange } from "../../contract/project-settings.js";
import { recordAudit } from "../../db/audit.js";
import { changeProject, createProject, deleteProject, getProject, listProjects, runsOfProject } from "../../db/projects.js";
import type { User } from "../../db/tokens.js";
import { providerOf } from "../../definition/providers.js";
import type { ApiContext } from "../context.js";
import { cancelRun } from "../control-run.js";
import { ById, Flag, Name, onePlace, pageFields } from "../fields.js";
import { readRepo } from "../git.js";
import { created, gone, listed, Many, One, ok, type Route, route } from "../route.js";
import { deleteExecutions, deleteFiles } from "../run-remains.js";

export function projectRoutes(context: ApiContext): Route[] {
  const { db } = context;
  return [
    route({
      method: "get",
      path: "/",
      summary: "List projects",
      query: z.strictObject(pageFields),
      refine: onePlace,
      answers: { 200: Many(Project) },
      handle: async ({ query }) => listed(await listProjects(db, query)),
    }),
    route({
      method: "post",
      path: "/",
      summary: "Add a project by the path of its folder",
      body: z.strictObject({ path: z.string().min(1).max(4096), name: Name.optional() }),
      answers: { 200: One(Project), 201: One(Project) },
      handle: async ({ body }) => {
        const path = await projectFolder(body.path);
        const wanted = { id: newId("prj"), name: body.name ?? (basename(path) || path), path, repo: await readRepo(path) };
        const { project, created: isNew } = await createProject(db, wanted);
        return isNew ? created(`/api/projects/${project.id}`, project) : ok(project);
      },
    }),
    route({
      method: "get",
      path: "/:id",
      summary: "Get a project",
      params: ById,
      answers: { 200: One(Project) },
      handle: async ({ params }) => ok(await getProject(db, params.id)),
    }),
    route({
      method: "patch",
      path: "/:id",
      summary: "Rename a project, or change some of its settings",
      params: ById,
      body: z.strictObject({ name: Name.optional(), settings: SettingsChange.optional() }),
      answers: { 200: One(Project) },
      handle: async ({ params, body, user }) => {
        const { name, settings } = body;
        if (name === undefined && settings === undefined) throw nothingToChange();
        const changed = await changeProject(db, params.id, { name, settings: settings && withKnownProvider(settings) });
        if (settings)
          await recordAudit(db, { user_id: user.id, action: "project.settings", subject: params.id, data: Json.parse(settings) });
        return ok(changed);
      },
    }),
    route({
      method: "delete",
      path: "/:id",
      summary: "Delete a project with its runs and all below them; its own files stay",
      params: ById,
      query: z.strictObject({ force: Flag.optional() }),
      answers: { 204: null },
      handle: async ({ params, query, user }) => {
        await removeProject(context, { id: params.id, user, force: query.force ?? false });
        return gone;
      },
    }),
  ];
}

function nothingToChange(): InvalidError {
  const message = "is missing: give a name, settings or both";
  return new InvalidError(`name ${message}.`, [{ path: "name", message }]);
}

/** @throws {InvalidError} when no agent of that name can run. */
function withKnownProvider(settings: SettingsChange): SettingsChange {
  if (typeof settings.default_provider !== "string") return settings;
  const found = providerOf(settings.default_provider);
  if ("provider" in found) return { ...settings, default_provider: found.provider };
  const path = "settings.default_provider";
  throw new InvalidError(`${path}: ${found.problem}`, [{ path, message: found.problem }]);
}

/** The folder that a path names, without links. */
async function projectFolder(path: string): Promise<string> {
  const wrong = (message: string) => new InvalidError(`path ${message}.`, [{ path: "path", message }]);
  if (!isAbsolute(path)) throw wrong("must be absolute");
  const folder = await realpath(path).catch(() => null);
  if (folder === null) throw wrong("names nothing that is there");
  if (!(await stat(folder)).isDirectory()) throw wrong("must be a folder");
  return folder;
}

async function removeProject(
  context: ApiContext,
  { id, user, force }: { id: string; user: User; force: boolean },
): Promise<void> {
  const project = await getProject(context.db, id);
  const runs = await runsOfProject(context.db, id);
  const open = runs.filter((run) => run.open);
  if (open.length > 0 && !force) throw stillOpen(project.name, open.length);

  await Promise.all(open.map((run) => endRun(context, run.id, user)));
  for (const run of runs) await deleteExecutions(context, run.id);
  if (!(await deleteProject(context.db, id, { force }))) throw stillOpen(project.name, 1);
  await recordAudit(context.db, {
    user_id: user.id,
    action: "project.delete",
    subject: id,
    data: { path: project.path, runs: runs.length },
  });
  for (const run of runs) await deleteFiles(context, { runId: run.id, projectId: id, projectPath: project.path });
}

/** Cancel a run; one that does not end by itself (its worker is away, say) is ended by Temporal. */
async function endRun(context: ApiContext, id: string, user: User): Promise<void> {
  try {
    if (await cancelRun(context, id, user, { reason: "Its project is deleted." })) return;
    await context.temporal.workflow.getHandle(id).terminate("Its project is deleted.");
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
  }
}

function stillOpen(name: string, count: number): ConflictError {
  return new ConflictError(
    `${count} of the runs of ${name} ${count === 1 ? "is" : "are"} still open. Cancel them, or delete with ?force=true.`,
    "in_use",
  );
}
