import { and, eq, isNull, ne, sql } from "drizzle-orm";
import { newId } from "../contract/id.js";
import type { Json } from "../contract/json.js";
import type { LoadedWorkflow } from "../contract/loader.js";
import type { LoadError } from "../contract/workflow.js";
import type { Connection, Database } from "./database.js";
import { runs, workflows, workflowVersions } from "./schema.js";

/** A definition file as discovery found it. Paths are relative to the project. */
export interface FoundFile {
  project_id: string;
  path: string;
  source: string;
}

/**
 * Make a loaded file the workflow of its name: a new one, or a new revision when its content differs from
 * the latest one.
 *
 * @returns whether anything changed.
 */
export async function registerLoaded(db: Database, file: FoundFile, loaded: LoadedWorkflow): Promise<boolean> {
  return db.orm.transaction(async (tx) => {
    const slug = slugOf(loaded.name);
    const other = await rowBySlug(tx, file.project_id, slug);
    const placeholder = await rowByPath(tx, file, 0);
    if (placeholder && placeholder.id !== other?.id) await tx.delete(workflows).where(eq(workflows.id, placeholder.id));

    const id = other?.id ?? newId("wf");
    const revision = other?.revision ?? 0;
    const [latest] = other
      ? await tx
          .select({ hash: workflowVersions.hash })
          .from(workflowVersions)
          .where(and(eq(workflowVersions.workflowId, id), eq(workflowVersions.revision, revision)))
      : [];
    const same = latest?.hash === loaded.hash;
    const next = same ? revision : revision + 1;
    const described = {
      name: loaded.name,
      description: loaded.description,
      version: loaded.version,
      phases: loaded.phases,
      argsSchema: loaded.args_schema,
      config: loaded.config,
      timeoutMs: loaded.timeout_ms,
      filePath: file.path,
      revision: next,
      loadError: null,
      archivedAt: null,
    };
    if (!other) {
      await tx
        .insert(workflows)
        .values({ id, projectId: file.project_id, slug, type: "code", dialect: "typescript", source: "file", ...described });
    } else if (!same || other.loadError || other.archivedAt || other.filePath !== file.path) {
      await tx
        .update(workflows)
        .set({ ...described, updatedAt: new Date() })
        .where(eq(workflows.id, id));
    }
    if (same) return !other || other.loadError !== null || other.archivedAt !== null || other.filePath !== file.path;
    const program = loaded.program as unknown as Json; // a Program is JSON; its interface has no index signature
    await tx.insert(workflowVersions).values({
      workflowId: id,
      revision: next,
      hash: loaded.hash,
      source: file.source,
      program,
      activitiesCode: loaded.activities_code,
    });
    return true;
  });
}

/** Show why a file does not load, at the workflow it was, or at one of its own that cannot be started. */
export async function registerBroken(db: Database, file: FoundFile, error: LoadError): Promise<void> {
  await db.orm.transaction(async (tx) => {
    const known = await rowByPath(tx, file);
    if (known) {
      await tx
        .update(workflows)
        .set({ loadError: error, archivedAt: null, updatedAt: new Date() })
        .where(eq(workflows.id, known.id));
      return;
    }
    const name =
      file.path
        .split("/")
        .at(-1)
        ?.replace(/\.[^.]+$/, "") ?? file.path;
    const taken = await rowBySlug(tx, file.project_id, slugOf(name));
    const slug = taken ? `${slugOf(name)}-${newId("x").slice(-6)}` : slugOf(name);
    await tx.insert(workflows).values({
      id: newId("wf"),
      projectId: file.project_id,
      name,
      slug,
      type: "code",
      dialect: "typescript",
      source: "file",
      filePath: file.path,
      revision: 0,
      loadError: error,
    });
  });
}

/** Workflows whose files are gone go too; those that have runs are kept out of sight, for their runs. */
export async function unregisterMissing(db: Database, projectId: string, present: readonly string[]): Promise<number> {
  const rows = await db.orm
    .select({ id: workflows.id, path: workflows.filePath })
    .from(workflows)
    .where(and(eq(workflows.projectId, projectId), eq(workflows.source, "file"), isNull(workflows.archivedAt)));
  const gone = rows.filter(({ path }) => path !== null && !present.includes(path));
  for (const { id } of gone) {
    const used = await db.orm.select({ one: sql`1` }).from(runs).where(eq(runs.workflowId, id)).limit(1);
    if (used.length === 0) await db.orm.delete(workflows).where(eq(workflows.id, id));
    else await db.orm.update(workflows).set({ archivedAt: new Date() }).where(eq(workflows.id, id));
  }
  return gone.length;
}

/** The file that is the workflow of this name in the project, when it is another one. */
export async function otherFileOf(db: Database, file: FoundFile, name: string): Promise<string | null> {
  const [row] = await db.orm
    .select({ path: workflows.filePath })
    .from(workflows)
    .where(
      and(
        eq(workflows.projectId, file.project_id),
        eq(workflows.slug, slugOf(name)),
        ne(workflows.filePath, file.path),
        isNull(workflows.archivedAt),
      ),
    );
  return row?.path ?? null;
}

/** Compiled `activities` by their hash, for a worker that does not have them yet. */
export async function activitiesCodeOf(db: Database, hash: string): Promise<string | null> {
  const [row] = await db.orm
    .select({ code: workflowVersions.activitiesCode })
    .from(workflowVersions)
    .where(sql`${workflowVersions.program} ->> 'activities_hash' = ${hash}`)
    .limit(1);
  return row?.code ?? null;
}

/** `Implement Feature` → `implement-feature`. */
export function slugOf(name: string): string {
  const slug = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  return slug || "workflow";
}

type Row = typeof workflows.$inferSelect;

async function rowBySlug(tx: Connection, projectId: string, slug: string): Promise<Row | undefined> {
  const [row] = await tx
    .select()
    .from(workflows)
    .where(and(eq(workflows.projectId, projectId), eq(workflows.slug, slug)));
  return row;
}

async function rowByPath(tx: Connection, file: FoundFile, revision?: number): Promise<Row | undefined> {
  const [row] = await tx
    .select()
    .from(workflows)
    .where(
      and(
        eq(workflows.projectId, file.project_id),
        eq(workflows.filePath, file.path),
        revision === undefined ? undefined : eq(workflows.revision, revision),
      ),
    );
  return row;
}
