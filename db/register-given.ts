import { and, eq, max } from "drizzle-orm";
import { ConflictError } from "../contract/errors.js";
import { newId } from "../contract/id.js";
import type { Json } from "../contract/json.js";
import type { LoadedWorkflow } from "../contract/loader.js";
import type { Connection, Database } from "./database.js";
import { describedBy, slugOf } from "./registry.js";
import { workflows, workflowVersions } from "./schema.js";

/** A definition that came with a request, as it was written. */
export interface GivenText {
  project_id: string;
  source: string;
}

/**
 * Make a definition that is in no file a content of the project's workflow of its name, which is made if there is none. A
 * content that it has had already is that revision.
 *
 * @throws {ConflictError} `name_taken` when the workflow of this name is a file; `disabled`.
 */
export async function registerGiven(
  db: Database,
  { project_id, source }: GivenText,
  loaded: LoadedWorkflow,
): Promise<{ id: string; revision: number }> {
  return db.orm.transaction(async (tx) => {
    const { id, filePath, archivedAt, isActive, source: madeBy } = await lockedRow(tx, project_id, loaded);
    if (madeBy !== "api" && archivedAt === null) throw taken(loaded.name, filePath);
    if (!isActive) throw new ConflictError(`The workflow ${loaded.name} is disabled.`, "disabled");

    const versions = eq(workflowVersions.workflowId, id);
    const [known] = await tx
      .select({ revision: workflowVersions.revision })
      .from(workflowVersions)
      .where(and(versions, eq(workflowVersions.hash, loaded.hash)));
    if (known && madeBy === "api" && archivedAt === null) return { id, revision: known.revision };

    const [latest] = await tx
      .select({ revision: max(workflowVersions.revision) })
      .from(workflowVersions)
      .where(versions);
    const revision = known?.revision ?? (latest?.revision ?? 0) + 1;
    if (!known) {
      const program = loaded.program as unknown as Json; // a Program is JSON; its interface has no index signature
      await tx.insert(workflowVersions).values({ workflowId: id, revision, hash: loaded.hash, source, program });
    }
    await tx
      .update(workflows)
      .set({ ...describedBy(loaded), source: "api", filePath: null, revision, updatedAt: new Date() })
      .where(eq(workflows.id, id));
    return { id, revision };
  });
}

/** The row of the workflow's name, so that whoever else has the same name waits; a new one, without a content, if there was none. */
async function lockedRow(tx: Connection, projectId: string, loaded: LoadedWorkflow): Promise<typeof workflows.$inferSelect> {
  const slug = slugOf(loaded.name);
  await tx
    .insert(workflows)
    .values({ id: newId("wf"), projectId, slug, source: "api", ...describedBy(loaded) })
    .onConflictDoNothing();
  const [row] = await tx
    .select()
    .from(workflows)
    .where(and(eq(workflows.projectId, projectId), eq(workflows.slug, slug)))
    .for("update");
  if (!row) throw new Error(`The workflow ${slug} went as it was made.`);
  return row;
}

function taken(name: string, path: string | null): ConflictError {
  const where = path === null ? "is another one here" : `is the file ${path} here`;
  return new ConflictError(`The workflow ${name} ${where}. Start that one, or give this definition another name.`, "name_taken");
}
