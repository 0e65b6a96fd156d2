import { existsSync, realpathSync } from "node:fs";
import { resolve, sep } from "node:path";
import { Project } from "../contract/project.js";
import type { LonghaulClient } from "../sdk/client.js";
import { calledFrom } from "./connection.js";
import { CliError, EXIT } from "./exit.js";
import { git } from "./git.js";

/**
 * The project that is named by id, name or folder; `.` is the one we are in.
 *
 * @throws {CliError} when there is none, or several of that name.
 */
export async function findProject(client: LonghaulClient, given: string): Promise<Project> {
  const projects = await allProjects(client);
  const byId = projects.find(({ id }) => id === given);
  if (byId) return byId;
  const [named, ...others] = projects.filter(({ name }) => name === given);
  if (named && others.length > 0) {
    throw new CliError(EXIT.usage, `${others.length + 1} projects are called ${given}. Name it by its id or folder.`);
  }
  const folder = resolve(calledFrom(), given);
  const found = named ?? (existsSync(folder) ? projectAround(projects, folder) : undefined);
  if (found) return found;
  const known = projects.map(({ name }) => name).join(", ");
  throw new CliError(
    EXIT.notFound,
    `There is no project ${given}. ${known ? `There are: ${known}.` : "`longhaul init` in a repository makes one."}`,
  );
}

/** The project that a file or folder lies in, the innermost one. */
export async function projectOf(client: LonghaulClient, path: string): Promise<Project | undefined> {
  return projectAround(await allProjects(client), path);
}

/** The folder that is a project when something in it is to run: the repository around it, else itself. */
export function projectFolder(folder: string): string {
  const repository = git(folder, "rev-parse", "--show-toplevel");
  return repository ?? folder.split(`${sep}.agent${sep}`)[0] ?? folder;
}

function allProjects(client: LonghaulClient): Promise<Project[]> {
  return client.all("/api/projects", Project);
}

function projectAround(projects: Project[], path: string): Project | undefined {
  const real = realPath(path);
  return projects
    .filter((project) => real === project.path || real.startsWith(project.path.replace(/\/?$/, sep)))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
}

function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
