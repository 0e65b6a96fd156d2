import { and, count, desc, eq, gt, lt, or, sql } from "drizzle-orm";
import { NotFoundError } from "../contract/errors.js";
import type { PageQuery } from "../contract/page.js";
import { type ProjectSettings, settingsOf } from "../contract/project-settings.js";
import type { Secret } from "../contract/secret.js";
import type { Database } from "./database.js";
import { type Listed, momentAndId, sliceOf, toPage } from "./page.js";
import { prepared } from "./prepared.js";
import { projects, secrets } from "./schema.js";
import { iso } from "./time.js";

const shown = { name: secrets.name, updatedAt: secrets.updatedAt };

/** What was set last comes first. */
export async function listSecrets(db: Database, projectId: string, query: PageQuery): Promise<Listed<Secret>> {
  const { limit, offset } = sliceOf(query);
  const from = query.cursor === undefined ? undefined : momentAndId(query.cursor);
  const before = from && or(lt(secrets.updatedAt, from.at), and(eq(secrets.updatedAt, from.at), gt(secrets.name, from.id)));
  const ofProject = eq(secrets.projectId, projectId);
  const rows = await db.orm
    .select(shown)
    .from(secrets)
    .where(and(ofProject, before))
    .orderBy(desc(secrets.updatedAt), secrets.name)
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(secrets).where(ofProject);
  return toPage(query, { rows, total: all?.total ?? 0, placeOf: (row) => [iso(row.updatedAt), row.name], toItem: toSecret });
}

/** @throws {NotFoundError} */
export async function getSecret(db: Database, projectId: string, name: string): Promise<Secret> {
  const [row] = await db.orm
    .select(shown)
    .from(secrets)
    .where(and(eq(secrets.projectId, projectId), eq(secrets.name, name)));
  if (!row) throw new NotFoundError("secret", name);
  return toSecret(row);
}

/** Set a secret, or change it. @param sealed what the box made of the value. */
export async function putSecret(db: Database, projectId: string, name: string, sealed: string): Promise<Secret> {
  const updatedAt = new Date();
  await db.orm
    .insert(secrets)
    .values({ projectId, name, value: sealed, updatedAt })
    .onConflictDoUpdate({ target: [secrets.projectId, secrets.name], set: { value: sealed, updatedAt } });
  return toSecret({ name, updatedAt });
}

/** @throws {NotFoundError} */
export async function removeSecret(db: Database, projectId: string, name: string): Promise<void> {
  const gone = await db.orm
    .delete(secrets)
    .where(and(eq(secrets.projectId, projectId), eq(secrets.name, name)))
    .returning({ name: secrets.name });
  if (gone.length === 0) throw new NotFoundError("secret", name);
}

/** What steps of a project go by: its settings, and its secrets as they are sealed. */
export interface SealedAccess {
  settings: ProjectSettings;
  sealed: { name: string; value: string }[];
}

/** Of a project that is gone: no secrets, and the settings of one about which nothing was said. */
export async function readAccess(db: Database, projectId: string): Promise<SealedAccess> {
  const rows = await accessByProject(db).execute({ id: projectId });
  return {
    settings: settingsOf(rows[0]?.settings ?? {}),
    sealed: rows.flatMap(({ name, value }) => (name === null || value === null ? [] : [{ name, value }])),
  };
}

const accessByProject = prepared((orm) =>
  orm
    .select({ settings: projects.settings, name: secrets.name, value: secrets.value })
    .from(projects)
    .leftJoin(secrets, eq(secrets.projectId, projects.id))
    .where(eq(projects.id, sql.placeholder("id")))
    .orderBy(secrets.name)
    .prepare("access_by_project"),
);

function toSecret({ name, updatedAt }: { name: string; updatedAt: Date }): Secret {
  return { name, updated_at: iso(updatedAt) };
}
