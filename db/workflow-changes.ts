import { and, count, eq, isNull, ne, notInArray, sql } from "drizzle-orm";
import { ConflictError, NotFoundError } from "../contract/errors.js";
import type { LoadedWorkflow } from "../contract/loader.js";
import type { Program } from "../contract/run-spec.js";
import type { Connection, Database } from "./database.js";
import { describedBy, registerContent, slugOf } from "./registry.js";
import { runs, workflows, workflowVersions } from "./schema.js";
import { iso } from "./time.js";

/** A content that a workflow has had, with the text that it was last written as. */
export interface VersionText {
  revision: number;
  source: string;
}

/** Of whoever is called so in the project: a name counts by its slug. A deleted one has runs, and comes back by its name. */
export interface NameTaken {
  id: string;
  path: string | null;
  deleted: boolean;
}

export async function whoIsCalled(tx: Connection, projectId: string, name: string, but = ""): Promise<NameTaken | null> {
  const named = and(eq(workflows.projectId, projectId), eq(workflows.slug, slugOf(name)), ne(workflows.id, but));
  const [row] = await tx.select().from(workflows).where(named);
  return row ? { id: row.id, path: row.filePath, deleted: row.archivedAt !== null } : null;
}

export interface WholeVersion extends VersionText {
  hash: string;
  created_at: string;
  /** What its runs carry out; null when it was never loaded. */
  program: Program | null;
}

/** Null when the workflow has had no such revision. */
export async function getVersion(db: Database, id: string, revision: number): Promise<WholeVersion | null> {
  const [row] = await db.orm
    .select()
    .from(workflowVersions)
    .where(and(eq(workflowVersions.workflowId, id), eq(workflowVersions.revision, revision)));
  if (!row) return null;
  const { hash, source, createdAt } = row;
  // The loader wrote this column; its shape is the type's.
  return { revision, hash, source, created_at: iso(createdAt), program: row.program as Program | null };
}

/** The text of a revision; null when the workflow has none such. */
export async function textOf(db: Database, id: string, revision: number): Promise<string | null> {
  const [row] = await db.orm
    .select({ source: workflowVersions.source })
    .from(workflowVersions)
    .where(and(eq(workflowVersions.workflowId, id), eq(workflowVersions.revision, revision)));
  return row?.source ?? null;
}

/** @throws {NotFoundError} when it is not there, or deleted. */
export async function setEnabled(tx: Connection, id: string, enabled: boolean): Promise<void> {
  const rows = await tx
    .update(workflows)
    .set({ isActive: enabled, updatedAt: new Date() })
    .where(and(eq(workflows.id, id), isNull(workflows.archivedAt)))
    .returning({ id: workflows.id });
  if (rows.length === 0) throw new NotFoundError("workflow", id);
}

/** Whether a workflow was deleted, and is there for its runs alone. */
export async function isDeleted(db: Database, id: string): Promise<boolean> {
  const rows = await db.orm.select({ at: workflows.archivedAt }).from(workflows).where(eq(workflows.id, id));
  return rows.some(({ at }) => at !== null);
}

/** Whether the workflow is as it was when its revision and state were read, and not deleted. */
export async function isStill(tx: Connection, seen: { id: string; revision: number; enabled: boolean }): Promise<boolean> {
  const [row] = await tx
    .select({ revision: workflows.revision, enabled: workflows.isActive })
    .from(workflows)
    .where(and(eq(workflows.id, seen.id), isNull(workflows.archivedAt)))
    .for("update");
  return row !== undefined && row.revision === seen.revision && row.enabled === seen.enabled;
}

/** Give a workflow that is no file another content. */
export async function replaceContent(
  tx: Connection,
  content: VersionText & { id: string },
  loaded: LoadedWorkflow,
): Promise<void> {
  const { revision } = await registerContent(tx, content, loaded);
  await tx
    .update(workflows)
    .set({ ...describedBy(loaded), slug: slugOf(loaded.name), revision, updatedAt: new Date() })
    .where(eq(workflows.id, content.id));
}

/**
 * Delete a workflow, or take it out of sight when it has runs, which go on as they are.
 *
 * @returns how many runs it has.
 * @throws {ConflictError} `in_use` when it has runs, unless `force`.
 */
export async function removeWorkflow(
  tx: Connection,
  { id, name }: { id: string; name: string },
  { force }: { force: boolean },
): Promise<number> {
  const open = notInArray(runs.status, ["completed", "failed", "cancelled", "timed_out"]);
  const [found] = await tx
    .select({ all: count(), open: sql<number>`(count(*) filter (where ${open}))::int` })
    .from(runs)
    .where(eq(runs.workflowId, id));
  const all = found?.all ?? 0;
  if (all > 0 && !force) {
    const still = found && found.open > 0 ? `, ${found.open} of them open` : "";
    const message = `${name} has ${all} ${all === 1 ? "run" : "runs"}${still}. Delete it with ?force=true: its runs stay as they are.`;
    throw new ConflictError(message, "in_use");
  }
  if (all === 0) await tx.delete(workflows).where(eq(workflows.id, id));
  else await tx.update(workflows).set({ archivedAt: new Date() }).where(eq(workflows.id, id));
  return all;
}
