import { and, count, desc, eq, inArray, lt, notInArray, or, sql } from "drizzle-orm";
import { NotFoundError } from "../contract/errors.js";
import type { JsonObject } from "../contract/json.js";
import type { PageQuery } from "../contract/page.js";
import type { Project } from "../contract/project.js";
import { type SettingsChange, settingsOf } from "../contract/project-settings.js";
import type { Database } from "./database.js";
import { type Listed, momentAndId, sliceOf, toPage } from "./page.js";
import { prepared } from "./prepared.js";
import { projects, runs, tombstones } from "./schema.js";
import { iso } from "./time.js";

type ProjectRow = typeof projects.$inferSelect;

export interface NewProject {
  id: string;
  name: string;
  /** Absolute, with no symbolic link in it. */
  path: string;
  repo: Project["repo"];
  settings?: JsonObject;
}

/** Newest first. */
export async function listProjects(db: Database, query: PageQuery): Promise<Listed<Project>> {
  const { limit, offset } = sliceOf(query);
  const from = query.cursor === undefined ? undefined : momentAndId(query.cursor);
  const older = from && or(lt(projects.createdAt, from.at), and(eq(projects.createdAt, from.at), lt(projects.id, from.id)));
  const rows = await db.orm
    .select()
    .from(projects)
    .where(older)
    .orderBy(desc(projects.createdAt), desc(projects.id))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(projects);
  return toPage(query, { rows, total: all?.total ?? 0, placeOf: (row) => [iso(row.createdAt), row.id], toItem: toProject });
}

export async function allProjects(db: Database): Promise<Project[]> {
  return (await projectsByAge(db).execute()).map(toProject);
}

const projectsByAge = prepared((orm) =>
  orm.select().from(projects).orderBy(projects.createdAt, projects.id).prepare("projects_by_age"),
);

/** @throws {NotFoundError} */
export async function getProject(db: Database, id: string): Promise<Project> {
  const [row] = await projectById(db).execute({ id });
  if (!row) throw new NotFoundError("project", id);
  return toProject(row);
}

const projectById = prepared((orm) =>
  orm
    .select()
    .from(projects)
    .where(eq(projects.id, sql.placeholder("id")))
    .prepare("project_by_id"),
);

export async function findProjectByRepo(db: Database, owner: string, name: string): Promise<Project[]> {
  const rows = await db.orm
    .select()
    .from(projects)
    .where(and(sql`lower(${projects.repoOwner}) = lower(${owner})`, sql`lower(${projects.repoName}) = lower(${name})`));
  return rows.map(toProject);
}

/** Make a project, or give back the one that has this path already. */
export async function createProject(db: Database, project: NewProject): Promise<{ project: Project; created: boolean }> {
  const { id, name, path, repo, settings = {} } = project;
  const [row] = await db.orm
    .insert(projects)
    .values({ id, name, path, repoOwner: repo?.owner, repoName: repo?.name, repoDefaultBranch: repo?.default_branch, settings })
    .onConflictDoNothing({ target: projects.path })
    .returning();
  if (row) return { project: toProject(row), created: true };

  const [same] = await db.orm.select().from(projects).where(eq(projects.path, path));
  if (!same) throw new NotFoundError("project", path);
  return { project: toProject(same), created: false };
}

export interface ProjectChange {
  name?: string | undefined;
  /** Those that are said; null takes one back to its default. */
  settings?: SettingsChange | undefined;
}

/** @throws {NotFoundError} */
export async function changeProject(db: Database, id: string, { name, settings = {} }: ProjectChange): Promise<Project> {
  const said = Object.entries(settings).filter(([, value]) => value !== undefined);
  const kept = sql`jsonb_strip_nulls(${projects.settings} || ${JSON.stringify(Object.fromEntries(said))}::jsonb)`;
  const [row] = await db.orm
    .update(projects)
    .set({ ...(name === undefined ? {} : { name }), settings: kept, updatedAt: new Date() })
    .where(eq(projects.id, id))
    .returning();
  if (!row) throw new NotFoundError("project", id);
  return toProject(row);
}

/**
 * Delete a project with all that is its own. Its runs go first (a workflow that has runs cannot go) and leave
 * tombstones. Says whether it is gone: it stays while a run is open, unless `force`.
 */
export async function deleteProject(db: Database, id: string, { force }: { force: boolean }): Promise<boolean> {
  return await db.orm.transaction(async (tx) => {
    await tx.select({ id: projects.id }).from(projects).where(eq(projects.id, id)).for("update");
    const open = await tx
      .select({ id: runs.id })
      .from(runs)
      .where(and(eq(runs.projectId, id), notInArray(runs.status, ["completed", "failed", "cancelled", "timed_out"])))
      .limit(1);
    if (open.length > 0 && !force) return false;

    const gone = await tx.delete(runs).where(eq(runs.projectId, id)).returning({ runId: runs.id });
    for (let i = 0; i < gone.length; i += 1000) {
      await tx
        .insert(tombstones)
        .values(gone.slice(i, i + 1000))
        .onConflictDoNothing();
    }
    await tx.delete(projects).where(eq(projects.id, id));
    return true;
  });
}

/** The ids of a project's runs, and whether each can still change. */
export async function runsOfProject(db: Database, id: string): Promise<{ id: string; open: boolean }[]> {
  const finished = inArray(runs.status, ["completed", "failed", "cancelled", "timed_out"]);
  return await db.orm
    .select({ id: runs.id, open: sql<boolean>`not ${finished}` })
    .from(runs)
    .where(eq(runs.projectId, id));
}

function toProject(row: ProjectRow): Project {
  const { id, name, path, settings, repoOwner, repoName, repoDefaultBranch, createdAt, updatedAt } = row;
  const repo = repoOwner && repoName ? { owner: repoOwner, name: repoName, default_branch: repoDefaultBranch ?? "main" } : null;
  return { id, name, path, repo, settings: settingsOf(settings), created_at: iso(createdAt), updated_at: iso(updatedAt) };
}
