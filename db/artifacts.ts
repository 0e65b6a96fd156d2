import { and, asc, count, desc, eq, inArray, lt, max, or, type SQL } from "drizzle-orm";
import { Artifact, type ArtifactType } from "../contract/artifact.js";
import { NotFoundError } from "../contract/errors.js";
import type { PageQuery } from "../contract/page.js";
import type { Database } from "./database.js";
import { type Listed, momentAndId, sliceOf, toPage } from "./page.js";
import { artifacts, projects, runs } from "./schema.js";
import { iso } from "./time.js";

type ArtifactDbRow = typeof artifacts.$inferSelect;

export interface ArtifactFilter extends PageQuery {
  step_id?: string | undefined;
  type?: ArtifactType | undefined;
}

/** Where an artifact's file lies: under `project_path`, at the artifact's own `file_path`. */
export interface StoredArtifact {
  artifact: Artifact;
  project_path: string;
}

/** Newest first. */
export async function listArtifacts(db: Database, runId: string, filter: ArtifactFilter): Promise<Listed<Artifact>> {
  const { limit, offset } = sliceOf(filter);
  const from = filter.cursor === undefined ? undefined : momentAndId(filter.cursor);
  const older = from && or(lt(artifacts.createdAt, from.at), and(eq(artifacts.createdAt, from.at), lt(artifacts.id, from.id)));
  const wanted: (SQL | undefined)[] = [
    eq(artifacts.runId, runId),
    filter.step_id === undefined ? undefined : eq(artifacts.stepId, filter.step_id),
    filter.type === undefined ? undefined : eq(artifacts.type, filter.type),
  ];
  const rows = await db.orm
    .select()
    .from(artifacts)
    .where(and(...wanted, older))
    .orderBy(desc(artifacts.createdAt), desc(artifacts.id))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm
    .select({ total: count() })
    .from(artifacts)
    .where(and(...wanted));
  return toPage(filter, { rows, total: all?.total ?? 0, placeOf: (row) => [iso(row.createdAt), row.id], toItem: toArtifact });
}

/** The last `most` artifacts of a run or of one of its steps, the oldest of them first. */
export async function lastArtifacts(
  db: Database,
  of: { run_id: string } | { step_id: string },
  most: number,
): Promise<Artifact[]> {
  const rows = await db.orm
    .select()
    .from(artifacts)
    .where("run_id" in of ? eq(artifacts.runId, of.run_id) : eq(artifacts.stepId, of.step_id))
    .orderBy(desc(artifacts.createdAt), desc(artifacts.id))
    .limit(most);
  return rows.reverse().map(toArtifact);
}

export async function artifactsOfComments(db: Database, commentIds: string[]): Promise<Map<string, Artifact[]>> {
  const attached = new Map<string, Artifact[]>(commentIds.map((id) => [id, []]));
  if (commentIds.length === 0) return attached;
  const rows = await db.orm
    .select()
    .from(artifacts)
    .where(inArray(artifacts.workflowCommentId, commentIds))
    .orderBy(asc(artifacts.createdAt), asc(artifacts.id));
  for (const row of rows) attached.get(row.workflowCommentId ?? "")?.push(toArtifact(row));
  return attached;
}

/** @throws {NotFoundError} */
export async function getArtifact(db: Database, id: string): Promise<StoredArtifact> {
  const [row] = await db.orm
    .select({ artifact: artifacts, project_path: projects.path })
    .from(artifacts)
    .innerJoin(runs, eq(runs.id, artifacts.runId))
    .innerJoin(projects, eq(projects.id, runs.projectId))
    .where(eq(artifacts.id, id));
  if (!row) throw new NotFoundError("artifact", id);
  return { artifact: toArtifact(row.artifact), project_path: row.project_path };
}

/** The artifact of a run with this name and these bytes, and the newest version its name has (0: none). */
export async function findSameArtifact(
  db: Database,
  { run_id, name, sha256 }: { run_id: string; name: string; sha256: string },
): Promise<{ same: Artifact | null; newest: number }> {
  const named = and(eq(artifacts.runId, run_id), eq(artifacts.name, name));
  const [row] = await db.orm
    .select()
    .from(artifacts)
    .where(and(named, eq(artifacts.sha256, sha256)))
    .orderBy(desc(artifacts.version))
    .limit(1);
  const [versions] = await db.orm
    .select({ newest: max(artifacts.version) })
    .from(artifacts)
    .where(named);
  return { same: row ? toArtifact(row) : null, newest: versions?.newest ?? 0 };
}

function toArtifact(row: ArtifactDbRow): Artifact {
  return Artifact.parse({
    id: row.id,
    run_id: row.runId,
    workflow_run_id: row.runId,
    step_id: row.stepId,
    workflow_run_step_id: row.stepId,
    agent_session_id: row.agentSessionId,
    workflow_comment_id: row.workflowCommentId,
    name: row.name,
    file_path: row.filePath,
    storage_path: row.filePath,
    storage_type: row.storageType,
    type: row.type,
    file_type: row.fileType,
    mime_type: row.mimeType,
    size_bytes: row.sizeBytes,
    sha256: row.sha256,
    version: row.version,
    metadata: row.metadata,
    created_at: iso(row.createdAt),
    updated_at: iso(row.updatedAt),
  });
}
