import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { Json } from "../contract/json.js";
import { Project } from "../contract/project.js";
import { Workflow } from "../contract/workflow.js";
import { compile } from "../definition/compile.js";
import { didYouMean } from "../definition/nearest.js";
import { isDefinitionFile } from "../definition/places.js";
import type { LonghaulClient } from "../sdk/client.js";
import { calledFrom } from "./connection.js";
import { CliError, EXIT } from "./exit.js";
import { findProject, projectFolder, projectOf } from "./find-project.js";
import { say } from "./output.js";

export interface FoundWorkflow {
  workflow: Workflow;
  /** To run it in; undefined when the server shall find out. */
  project: Project | undefined;
}

/** A file in YAML or JSON that lies where the server does not look: it goes to the server as it is. */
export interface GivenFile {
  definition: string;
  /** Without its folder. */
  file: string;
  /** JSON schema of its input, if it says one. */
  args_schema: Json | null;
  /** To run it in. */
  project: Project;
}

const DEFINITIONS = ".agent/workflows/definitions";
const FILE = /\.(ts|mts|yaml|yml|json)$/;
const DECLARED = /\.(yaml|yml|json)$/;
/** Milliseconds until a saved file is surely noticed, and one of a new project: those are looked for once a second. */
const NOTICED = 5_000;
const NOTICED_ANEW = 10_000;
/** Milliseconds after which a file that was broken before it was saved is so still. */
const BROKEN = 1_500;
const LOOK_AGAIN = 100;

/**
 * What is to be run: a workflow as `findWorkflow` finds it, or a file that is none yet.
 *
 * @param project id, name or folder; else the one we are in, if any.
 * @throws {CliError} a sentence that says what there is instead.
 */
export async function findRunnable(client: LonghaulClient, given: string, project?: string): Promise<FoundWorkflow | GivenFile> {
  const file = fileOf(given);
  if (!file || !DECLARED.test(file)) return findWorkflow(client, given, project);
  const chosen = project === undefined ? undefined : await findProject(client, project);
  const real = realpathSync(file);
  const around = await projectOf(client, real);
  const folder = around?.path ?? projectFolder(dirname(real));
  if (isDefinitionFile(relative(folder, real).replaceAll("\\", "/"))) return findWorkflow(client, given, project);

  const definition = readFileSync(file, "utf8");
  const compiled = compile(definition, basename(file));
  const args_schema = compiled.ok ? (compiled.plan.input_schema ?? null) : null;
  const here = chosen ?? around ?? (await projectOf(client, calledFrom())) ?? (await addProject(client, folder));
  return { definition, file: basename(file), args_schema, project: here };
}

/**
 * The workflow that is meant: a file, or one that is known by its name, slug or id.
 *
 * @param project id, name or folder; else the one we are in, if any.
 * @throws {CliError} a sentence that says what there is instead.
 */
export async function findWorkflow(client: LonghaulClient, given: string, project?: string): Promise<FoundWorkflow> {
  const chosen = project === undefined ? undefined : await findProject(client, project);
  const file = fileOf(given);
  if (file) return ofFile(client, file, chosen);
  const here = chosen ?? (await projectOf(client, calledFrom()));
  const known = await client.all("/api/workflows", Workflow, chosen ? { project_id: chosen.id } : {});
  const workflow = byName(given, known, here);
  if (workflow) return { workflow, project: workflow.project_id === null ? here : undefined };
  const unnoticed = newFile(given, here?.path ?? projectFolder(calledFrom()));
  if (unnoticed) return ofFile(client, unnoticed, here);
  const meant = didYouMean(
    given,
    known.map(({ slug }) => slug),
  );
  const instead = meant === "" ? " `longhaul workflow list` shows those there are." : meant;
  throw new CliError(EXIT.notFound, `There is no workflow ${given}.${instead}`);
}

/** A name with an ending or a folder is a file's. */
function fileOf(given: string): string | undefined {
  const file = resolve(calledFrom(), given);
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  if (!FILE.test(given) && !given.includes("/")) return undefined;
  throw new CliError(EXIT.notFound, `There is no file ${given}.`);
}

function byName(name: string, known: Workflow[], here: Project | undefined): Workflow | undefined {
  const found = known.filter((one) => one.id === name || one.slug === name || one.name === name);
  const [first, ...others] = found;
  const best = found.find(({ project_id }) => project_id === here?.id) ?? (others.length === 0 ? first : undefined);
  if (best || found.length === 0) return best;
  const places = found.map(({ project_id }) => project_id ?? "built in").join(", ");
  throw new CliError(EXIT.usage, `${found.length} projects have a workflow ${name}: ${places}. Say which with --project.`);
}

/** The file of a workflow that the server has not heard of yet. */
function newFile(name: string, folder: string): string | undefined {
  const files = [".ts", ".yaml", ".yml", ".json"].map((ending) => resolve(folder, DEFINITIONS, `${name}${ending}`));
  return files.find((file) => existsSync(file));
}

/** Waits until the server has noticed what stands in the file. */
async function ofFile(client: LonghaulClient, file: string, chosen: Project | undefined): Promise<FoundWorkflow> {
  const text = readFileSync(file, "utf8");
  const old = chosen ?? (await projectOf(client, file));
  const project = old ?? (await addProject(client, projectFolder(dirname(file))));
  const path = relative(project.path, file);
  let known: Workflow | undefined;
  const begun = Date.now();
  for (const end = begun + (old ? NOTICED : NOTICED_ANEW); Date.now() < end; await delay(LOOK_AGAIN)) {
    known = await ofPath(client, project, path);
    if (known && !known.load_error && (await isOf(client, known, text))) return { workflow: known, project };
    if (known?.load_error && Date.now() > begun + BROKEN) return { workflow: known, project };
  }
  if (known) throw new CliError(EXIT.failed, `What is known of ${path} is not what stands in it. Is it being written just now?`);
  throw new CliError(
    EXIT.notFound,
    `${path} is in the project ${project.name}, but not where workflows are found, such as ${DEFINITIONS}. Move it there.`,
  );
}

async function addProject(client: LonghaulClient, path: string): Promise<Project> {
  const project = await client.post("/api/projects", Project, { path });
  say(`Added the project ${project.name} (${project.path}).`);
  return project;
}

async function ofPath(client: LonghaulClient, project: Project, path: string): Promise<Workflow | undefined> {
  const all = await client.all("/api/workflows", Workflow, { project_id: project.id });
  return all.find((workflow) => workflow.path === path && workflow.project_id === project.id);
}

/** Whether a workflow is what a text says. JSON is given back parsed. */
async function isOf(client: LonghaulClient, { id, type }: Workflow, text: string): Promise<boolean> {
  const { definition } = await client.get(`/api/workflows/${id}`, z.object({ definition: Json.nullable() }));
  return type === "json" ? isDeepStrictEqual(definition, JSON.parse(text)) : definition === text;
}
