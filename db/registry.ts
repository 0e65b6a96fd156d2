import { and, desc, eq, isNull, max, ne, sql } from "drizzle-orm";
import { newId } from "../contract/id.js";
import type { Json } from "../contract/json.js";
import type { LoadedWorkflow } from "../contract/loader.js";
import type { LoadError } from "../contract/workflow.js";
import type { Connection, Database } from "./database.js";
import { projects, runs, workflows, workflowVersions } from "./schema.js";

/** A definition file as it was found. Paths are relative to the project. */
export interface FoundFile {
  project_id: string;
  path: string;
  source: string;
  /**
   * Asked while nobody else changes the project's workflows: whether the file still says this. When not, nothing is registered.
   * @default it does
   */
  isCurrent?(): Promise<boolean>;
}

/** Do something while nothing else changes the workflows of a project: no other request and no discovery, in no process. */
export async function whileAlone<Result>(
  db: Database,
  projectId: string,
  act: (tx: Connection) => Promise<Result>,
): Promise<Result> {
  return db.orm.transaction(async (tx) => {
    await tx.select({ id: projects.id }).from(projects).where(eq(projects.id, projectId)).for("no key update");
    return act(tx);
  });
}

/**
 * Make a loaded file the workflow of its name: a new one, or a new revision when its content differs from
 * the latest one. The workflow that the file was until now is renamed.
 *
 * @returns whether there is a new revision, or a workflow that was broken or gone is there again.
 */
export async function registerLoaded(db: Database, file: FoundFile, loaded: LoadedWorkflow): Promise<boolean> {
  return whileAlone(db, file.project_id, async (tx) => {
    if (file.isCurrent && !(await file.isCurrent())) return false;
    return (await registerFile(tx, file, loaded)).changed;
  });
}

/** As `registerLoaded`, for whoever has the project's workflows alone. @param unusedId of a workflow that is new */
export async function registerFile(
  tx: Connection,
  file: FoundFile,
  loaded: LoadedWorkflow,
  unusedId = newId("wf"),
): Promise<{ id: string; changed: boolean }> {
  const slug = slugOf(loaded.name);
  const ofPath = await rowByPath(tx, file, { archived: false });
  const known = (await rowBySlug(tx, file.project_id, slug)) ?? ofPath;
  if (ofPath && ofPath.id !== known?.id) await unregister(tx, ofPath);
  const described = { ...describedBy(loaded), slug, source: "file" as const, filePath: file.path };
  const id = known?.id ?? unusedId;
  if (!known) await tx.insert(workflows).values({ id, projectId: file.project_id, ...described });
  const content = await registerContent(tx, { id, revision: known?.revision ?? 0, source: file.source }, loaded);
  const isBack =
    known && (known.loadError !== null || known.archivedAt !== null || known.filePath !== file.path || known.slug !== slug);
  if (content.written || isBack) {
    await tx
      .update(workflows)
      .set({ ...described, revision: content.revision, updatedAt: new Date() })
      .where(eq(workflows.id, id));
  }
  return { id, changed: content.written === "revision" || isBack === true };
}

/**
 * Keep what a workflow says now: as a new revision, or, when it does the same as the latest one, as that one's text.
 *
 * @returns its revision, and what was written for it.
 */
export async function registerContent(
  tx: Connection,
  { id, revision, source }: { id: string; revision: number; source: string },
  loaded: LoadedWorkflow,
): Promise<{ revision: number; written: "revision" | "text" | null }> {
  const ofWorkflow = eq(workflowVersions.workflowId, id);
  const isLatest = and(ofWorkflow, eq(workflowVersions.revision, revision));
  const [latest] = await tx
    .select({ hash: workflowVersions.hash, source: workflowVersions.source })
    .from(workflowVersions)
    .where(isLatest);
  if (latest?.hash === loaded.hash) {
    if (latest.source === source) return { revision, written: null };
    await tx.update(workflowVersions).set({ source }).where(isLatest);
    return { revision, written: "text" };
  }
  const [last] = await tx
    .select({ revision: max(workflowVersions.revision) })
    .from(workflowVersions)
    .where(ofWorkflow);
  const next = (last?.revision ?? 0) + 1;
  const program = loaded.program as unknown as Json; // a Program is JSON; its interface has no index signature
  await tx.insert(workflowVersions).values({
    workflowId: id,
    revision: next,
    hash: loaded.hash,
    source,
    program,
    activitiesCode: loaded.activities_code,
  });
  return { revision: next, written: "revision" };
}

/** Show why a file does not load, at the workflow it was, or at one of its own that cannot be started. */
export async function registerBroken(db: Database, file: FoundFile, error: LoadError): Promise<void> {
  await whileAlone(db, file.project_id, async (tx) => {
    if (file.isCurrent && !(await file.isCurrent())) return;
    const known = await rowByPath(tx, file, { archived: true });
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
      // Nobody can say the dialect of what cannot be read.
      ...(/\.ts$/.test(file.path)
        ? { type: "code" as const, dialect: "typescript" }
        : { type: /\.json$/.test(file.path) ? ("json" as const) : ("yaml" as const), dialect: "phases" }),
      source: "file",
      filePath: file.path,
      revision: 0,
      loadError: error,
    });
  });
}

/**
 * Workflows whose files are gone go too. Those that have runs are kept out of sight, for their runs; so are disabled ones, lest they are
 * enabled when their files come back.
 *
 * @param isThere asked of those that are not present, while nobody else changes the project's workflows.
 */
export async function unregisterMissing(
  db: Database,
  projectId: string,
  { present, isThere }: { present: readonly string[]; isThere(path: string): Promise<boolean> },
): Promise<void> {
  const ofFiles = and(eq(workflows.projectId, projectId), eq(workflows.source, "file"), isNull(workflows.archivedAt));
  const missing = ({ filePath }: Row) => filePath !== null && !present.includes(filePath);
  if (!(await db.orm.select().from(workflows).where(ofFiles)).some(missing)) return;
  await whileAlone(db, projectId, async (tx) => {
    for (const row of (await tx.select().from(workflows).where(ofFiles)).filter(missing)) {
      if (!(await isThere(row.filePath ?? ""))) await unregister(tx, row);
    }
  });
}

async function unregister(tx: Connection, { id, isActive }: Row): Promise<void> {
  const used = await tx.select({ one: sql`1` }).from(runs).where(eq(runs.workflowId, id)).limit(1);
  if (used.length === 0 && isActive) await tx.delete(workflows).where(eq(workflows.id, id));
  else await tx.update(workflows).set({ archivedAt: new Date() }).where(eq(workflows.id, id));
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

/** The columns of a workflow that its definition says, which is a good one. */
export function describedBy(loaded: LoadedWorkflow) {
  return {
    name: loaded.name,
    description: loaded.description,
    version: loaded.version,
    phases: loaded.phases,
    argsSchema: loaded.args_schema,
    config: loaded.config,
    timeoutMs: loaded.timeout_ms,
    type: loaded.type,
    dialect: loaded.dialect,
    tags: loaded.tags,
    author: loaded.author,
    loadError: null,
    archivedAt: null,
  };
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

/** The workflow that the file is; else, where archived ones count, the last that it was. */
async function rowByPath(tx: Connection, file: FoundFile, { archived }: { archived: boolean }): Promise<Row | undefined> {
  const ofPath = and(eq(workflows.projectId, file.project_id), eq(workflows.filePath, file.path));
  const rows = await tx.select().from(workflows).where(ofPath).orderBy(desc(workflows.updatedAt));
  return rows.find(({ archivedAt }) => archivedAt === null) ?? (archived ? rows[0] : undefined);
}
