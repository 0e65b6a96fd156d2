import { join } from "node:path";
import type { Request } from "express";
import { ConflictError, InvalidError, NotFoundError } from "../contract/errors.js";
import type { JsonObject } from "../contract/json.js";
import type { LoadedWorkflow } from "../contract/loader.js";
import type { Project } from "../contract/project.js";
import { recordAudit } from "../db/audit.js";
import type { Connection } from "../db/database.js";
import { getProject } from "../db/projects.js";
import { otherFileOf, registerBroken, registerFile, registerLoaded, whileAlone } from "../db/registry.js";
import type { User } from "../db/tokens.js";
import { isDeleted, isStill, removeWorkflow, replaceContent, setEnabled, textOf, whoIsCalled } from "../db/workflow-changes.js";
import { getDefinition, getWorkflow } from "../db/workflows.js";
import type { ApiContext } from "./context.js";
import { readDefinition, removeDefinition, replaceDefinition, type Undo } from "./definition-file.js";
import { changed, compileAs, formatOf, formatOfType } from "./definition-text.js";
import { checkIfMatch, type ShownWorkflow } from "./etag.js";
import { nameTaken } from "./new-workflow.js";

/** How often a change is tried that others come in between of. */
const TRIES = 5;

/** A workflow that may be changed, and its text as it is on disk now, or as it was given. */
export interface OpenWorkflow {
  workflow: ShownWorkflow;
  project: Project;
  /** Null when a file was never readable. */
  text: string | null;
}

/** What is to be done with a workflow, and who asks. */
export interface Change {
  id: string;
  req: Request;
  user: User;
  /** A verb and its noun: `workflow.update`. */
  action: string;
}

export async function showWorkflow({ db }: ApiContext, id: string, projectId?: string): Promise<ShownWorkflow> {
  const workflow = await getWorkflow(db, id, projectId);
  return { ...workflow, definition: await getDefinition(db, workflow) };
}

/**
 * A workflow to change, as it is on disk at this moment: what was saved there and not noticed yet is registered first.
 *
 * @throws {ConflictError} `built_in`, `changed` when its file is gone.
 */
export async function openWorkflow(context: ApiContext, id: string): Promise<OpenWorkflow> {
  const { db } = context;
  const known = await getWorkflow(db, id);
  if (await isDeleted(db, id)) throw new NotFoundError("workflow", id);
  if (known.project_id === null) {
    const message = `The workflow ${known.name} is built in: it is every project's, and cannot be changed. Duplicate it.`;
    throw new ConflictError(message, "built_in");
  }
  const project = await getProject(db, known.project_id);
  if (known.path === null) {
    return { workflow: await showWorkflow(context, id), project, text: await textOf(db, id, known.revision) };
  }
  const text = await readDefinition(project.path, known.path);
  if (text === null) throw new ConflictError(`The file ${known.path} of the workflow ${known.name} is gone.`, "changed");
  if (known.load_error !== null || text !== (await textOf(db, id, known.revision))) {
    await noticed(context, project, { path: known.path, text });
  }
  return { workflow: await showWorkflow(context, id), project, text };
}

/** Register what a file says, as discovery would. */
async function noticed(
  { db, loader }: ApiContext,
  project: Project,
  { path, text }: { path: string; text: string },
): Promise<void> {
  const isCurrent = async () => (await readDefinition(project.path, path)) === text;
  const file = { project_id: project.id, path, source: text, isCurrent };
  const result = await loader.load(join(project.path, path), project.path, text);
  if (!result.ok) return registerBroken(db, file, result.error);
  const other = await otherFileOf(db, file, result.workflow.name);
  if (other === null || (await readDefinition(project.path, other)) === null) {
    await registerLoaded(db, file, result.workflow);
    return;
  }
  const message = `"${result.workflow.name}" is already the workflow of ${other}. Give one of them another name.`;
  await registerBroken(db, file, { message, file: path, line: null, column: null });
}

/**
 * Change a workflow: read it, decide, then do all of it or nothing, if it is still what was read; else once more.
 *
 * @param decide what is to be done with it; throws where it cannot be.
 * @throws {ConflictError} `changed` when it is not what `If-Match` says.
 */
export async function changeWorkflow(
  context: ApiContext,
  { id, req, user, action }: Change,
  decide: (open: OpenWorkflow) => Promise<(tx: Connection, undo: Undo[]) => Promise<JsonObject>>,
): Promise<void> {
  const { db } = context;
  for (let tries = 1; tries <= TRIES; tries++) {
    const open = await openWorkflow(context, id);
    const { workflow, project, text } = open;
    checkIfMatch(req, workflow);
    const act = await decide(open);
    const undo: Undo[] = [];
    try {
      const done = await whileAlone(db, project.id, async (tx) => {
        if (!(await isStill(tx, workflow))) return false;
        if (workflow.path !== null && (await readDefinition(project.path, workflow.path)) !== text) return false;
        await recordAudit({ orm: tx }, { user_id: user.id, action, subject: id, data: await act(tx, undo) });
        return true;
      });
      if (done) return;
    } catch (error) {
      for (const back of undo) await back();
      throw error;
    }
  }
  throw new ConflictError("Others change this workflow all the time. Try again.", "changed");
}

/** What a workflow is to be from now on; what is left out stays. */
export interface Update {
  definition?: string | JsonObject | undefined;
  enabled?: boolean | undefined;
}

/** @throws {InvalidError} with every problem at its place. @throws {ConflictError} `name_taken`, `changed`, … */
export function updateWorkflow(context: ApiContext, change: Change, { definition, enabled }: Update): Promise<void> {
  return changeWorkflow(context, change, async ({ workflow, project, text }) => {
    const content = definition === undefined ? null : await contentOf(context, { workflow, project, text }, definition);
    if (content && workflow.revision > 0 && content.loaded.dialect !== workflow.dialect) {
      const message = `is one of ${content.loaded.dialect}, but the workflow is one of ${workflow.dialect}. Make a new workflow of it`;
      throw new InvalidError(`definition ${message}.`, [{ path: "definition", message }]);
    }
    return async (tx, undo) => {
      if (content) await writeContent(tx, undo, { workflow, project, ...content });
      if (enabled !== undefined) await setEnabled(tx, workflow.id, enabled);
      return { revision: workflow.revision, ...(enabled === undefined ? {} : { enabled }) };
    };
  });
}

/** Make an earlier content the newest again, as it was written then. @throws {NotFoundError} when there was no such revision */
export function rollBackWorkflow(context: ApiContext, change: Change, revision: number): Promise<void> {
  return changeWorkflow(context, change, async ({ workflow, project, text }) => {
    const wanted = await textOf(context.db, workflow.id, revision);
    if (wanted === null) throw new NotFoundError("revision", `${revision} of the workflow ${workflow.name}`);
    const content = await contentOf(context, { workflow, project, text }, wanted);
    return async (tx, undo) => {
      await writeContent(tx, undo, { workflow, project, ...content });
      return { from: workflow.revision, to: revision };
    };
  });
}

/** Delete a workflow and its file. Its text is kept in the audit. @throws {ConflictError} `in_use`, unless `force` */
export function deleteWorkflow(context: ApiContext, change: Change, { force }: { force: boolean }): Promise<void> {
  return changeWorkflow(context, change, async ({ workflow, project, text }) => async (tx, undo) => {
    const runs = await removeWorkflow(tx, workflow, { force });
    if (workflow.path !== null) undo.push(await removeDefinition(project.path, workflow.path));
    return { name: workflow.name, path: workflow.path, revision: workflow.revision, runs, text };
  });
}

/** A definition as it would be written and carried out. @throws {InvalidError} with every problem at its place. */
export async function contentOf(
  { db, loader }: ApiContext,
  { workflow, project, text }: OpenWorkflow,
  definition: string | JsonObject,
): Promise<{ text: string; loaded: LoadedWorkflow }> {
  const path = workflow.path ?? `definition.${workflow.type === "json" ? "json" : "yaml"}`;
  const good = (await textOf(db, workflow.id, workflow.revision)) ?? undefined;
  const format = workflow.path === null ? formatOfType(workflow.type) : formatOf(path);
  const written = changed(text ?? "", definition, { format, ...(good === undefined ? {} : { good }) });
  return { text: written, loaded: await compileAs(loader, { root: project.path, path, text: written }, definition) };
}

async function writeContent(
  tx: Connection,
  undo: Undo[],
  { workflow, project, text, loaded }: Pick<OpenWorkflow, "workflow" | "project"> & { text: string; loaded: LoadedWorkflow },
): Promise<void> {
  const { id, path, revision } = workflow;
  const named = await whoIsCalled(tx, project.id, loaded.name, id);
  if (named) throw nameTaken(loaded.name, named.deleted ? "a deleted one, whose runs are still there" : named.path);
  if (path === null) return replaceContent(tx, { id, revision, source: text }, loaded);
  await registerFile(tx, { project_id: project.id, path, source: text }, loaded);
  undo.push(await replaceDefinition(project.path, path, text));
}
