import { ConflictError, InvalidError } from "../contract/errors.js";
import type { JsonObject } from "../contract/json.js";
import type { LoadedWorkflow } from "../contract/loader.js";
import type { Project } from "../contract/project.js";
import type { Dialect } from "../contract/workflow.js";
import { recordAudit } from "../db/audit.js";
import { registerFile, slugOf, whileAlone } from "../db/registry.js";
import type { User } from "../db/tokens.js";
import { setEnabled, whoIsCalled } from "../db/workflow-changes.js";
import { isDefinitionFile } from "../definition/places.js";
import type { ApiContext } from "./context.js";
import { createDefinition, type Undo } from "./definition-file.js";
import { compileAs, ENDINGS, type Format, formatOf, writtenOut } from "./definition-text.js";
import { TYPESCRIPT } from "./given-definition.js";

const FOLDER = ".agent/workflows/definitions";

/** A definition that is to become a file of a project. */
export interface WantedWorkflow {
  definition: string | JsonObject;
  format?: Format | undefined;
  dialect?: Dialect | undefined;
  /** Relative to the project. @default a name in `.agent/workflows/definitions` */
  path?: string | undefined;
}

/** All of it checked; nothing was written yet. */
export interface NewWorkflow {
  project: Project;
  path: string;
  text: string;
  loaded: LoadedWorkflow;
}

/** @throws {InvalidError} with every problem at its place. */
export async function prepareWorkflow(
  { loader }: ApiContext,
  project: Project,
  { definition, format, dialect, path }: WantedWorkflow,
): Promise<NewWorkflow> {
  const wanted = dialect === "typescript" ? "typescript" : format;
  const written = path === undefined ? (wanted ?? looksLike(definition)) : formatOf(path);
  if (path !== undefined) checkPath(path, wanted);
  const text = typeof definition === "string" ? definition : writtenOut(definition, written);
  const file = path ?? `${FOLDER}/definition.${ENDINGS[written]}`;
  const loaded = await compileAs(loader, { root: project.path, path: file, text }, definition);
  if (dialect !== undefined && loaded.dialect !== dialect) {
    throw wrong("dialect", `is ${dialect}, but the definition is one of ${loaded.dialect}`);
  }
  const place = path ?? placeFor(loaded, written);
  const isPlan = loaded.program.kind === "plan";
  // Code says in its compiled text which file it is of.
  const placed = isPlan
    ? { ...loaded, program: { ...loaded.program, file: place } }
    : await compileAs(loader, { root: project.path, path: place, text });
  return { project, path: place, text, loaded: placed };
}

/**
 * Write the file and register it, both or none. Whoever asks again for the same id gets what is there.
 *
 * @param options.id of a workflow that is new; one of the same name that was deleted and has runs comes back instead.
 * @returns the workflow's id.
 * @throws {ConflictError} `name_taken`, `path_taken`, `outside`, `not_written`.
 */
export async function addWorkflow(
  { db }: ApiContext,
  { project, path, text, loaded }: NewWorkflow,
  { id, enabled, user, action }: { id: string; enabled: boolean; user: User; action: string },
): Promise<string> {
  const undo: Undo[] = [];
  try {
    return await whileAlone(db, project.id, async (tx) => {
      const named = await whoIsCalled(tx, project.id, loaded.name);
      if (named?.id === id && !named.deleted) return id;
      if (named && !named.deleted) throw nameTaken(loaded.name, named.path);
      const made = await registerFile(tx, { project_id: project.id, path, source: text }, loaded, id);
      await setEnabled(tx, made.id, enabled);
      await recordAudit({ orm: tx }, { user_id: user.id, action, subject: made.id, data: { path } });
      undo.push(await createDefinition(project.path, path, text));
      return made.id;
    });
  } catch (error) {
    for (const back of undo) await back();
    throw error;
  }
}

export function nameTaken(name: string, path: string | null): ConflictError {
  const where = path === null ? "one that came with a request" : path;
  return new ConflictError(
    `There is a workflow ${name} in this project already: ${where}. Give this one another name.`,
    "name_taken",
  );
}

/** Where a new definition is written: under its name, stages under their id, which their file's name says. */
export function placeFor({ name, dialect, program }: LoadedWorkflow, format: Format): string {
  const id = program.kind === "plan" && dialect === "stages" ? program.plan.id : undefined;
  if (id === undefined) return `${FOLDER}/${slugOf(name)}.${ENDINGS[format]}`;
  return `${FOLDER}/${id}.workflow.${format === "json" ? "json" : "yml"}`;
}

function looksLike(definition: string | JsonObject): Format {
  if (typeof definition !== "string" || /^\s*\{/.test(definition)) return "json";
  return TYPESCRIPT.test(definition) ? "typescript" : "yaml";
}

function checkPath(path: string, format: Format | undefined): void {
  if (!isDefinitionFile(path) || !/^[\w.-]+$/.test(path.split("/").at(-1) ?? "")) {
    const message = `must be where definitions are found, such as ${FOLDER}/release.yaml, with letters, digits, ".", "_" and "-" as name`;
    throw wrong("path", message);
  }
  if (format !== undefined && formatOf(path) !== format) throw wrong("path", `does not end as ${format} does`);
}

function wrong(path: string, message: string): InvalidError {
  return new InvalidError(`${path} ${message}.`, [{ path, message }]);
}
