import { and, count, desc, eq, inArray, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import { ConflictError, NotFoundError } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import type { PageQuery } from "../contract/page.js";
import type { Program } from "../contract/run-spec.js";
import { Dialect, type Workflow } from "../contract/workflow.js";
import type { Database } from "./database.js";
import { type Listed, momentAndId, numberOf, scoreMomentAndId, sliceOf, toPage } from "./page.js";
import { prepared } from "./prepared.js";
import { runs, workflows, workflowVersions } from "./schema.js";
import { iso } from "./time.js";
import { searchFor, type WorkflowSearch } from "./workflow-search.js";

type WorkflowRow = typeof workflows.$inferSelect;

export interface WorkflowFilter extends PageQuery {
  /** Workflows of this project and the built-in ones. */
  project_id?: string | undefined;
  is_active?: boolean | undefined;
  /** As `searchFor` reads it; what fits best comes first. */
  q?: string | undefined;
  /** It has all of these. */
  tags?: string[] | undefined;
  author?: string | undefined;
  dialects?: Dialect[] | undefined;
}

/** A workflow without what its runs say of it. */
type WorkflowAlone = Omit<Workflow, "stats">;

/** A workflow as a start needs it, with what its revision runs; null when that was never loaded. */
export type StartableWorkflow = WorkflowAlone & { program: Program | null };

/** One content a workflow has had. */
export interface WorkflowVersion {
  workflow_id: string;
  revision: number;
  hash: string;
  /** Whether it could be loaded, and so can be run. */
  loaded: boolean;
  created_at: string;
}

/** Newest first, or what fits the search best; archived ones are left out. */
export async function listWorkflows(db: Database, filter: WorkflowFilter): Promise<Listed<Workflow>> {
  const { limit, offset } = sliceOf(filter);
  const { project_id, is_active, tags, author, dialects } = filter;
  const search = filter.q === undefined ? null : searchFor(filter.q);
  const score = search?.score ?? sql<number>`0`;
  const wanted: (SQL | undefined)[] = [
    isNull(workflows.archivedAt),
    project_id === undefined ? undefined : or(eq(workflows.projectId, project_id), isNull(workflows.projectId)),
    is_active === undefined ? undefined : eq(workflows.isActive, is_active),
    tags === undefined ? undefined : sql`${workflows.tags} @> ${JSON.stringify(tags)}::jsonb`,
    author === undefined ? undefined : eq(workflows.author, author),
    dialects === undefined ? undefined : inArray(workflows.dialect, dialects),
    search?.hits,
  ];
  const rows = await db.orm
    .select({ workflow: workflows, score })
    .from(workflows)
    .where(and(...wanted, after(filter.cursor, search)))
    .orderBy(...(search ? [desc(score)] : []), desc(workflows.createdAt), desc(workflows.id))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm
    .select({ total: count() })
    .from(workflows)
    .where(and(...wanted));
  const stats = await statsOf(
    db,
    rows.map(({ workflow }) => workflow.id),
  );
  return toPage(filter, {
    rows,
    total: all?.total ?? 0,
    placeOf: ({ workflow, score }) => [...(search ? [score] : []), iso(workflow.createdAt), workflow.id],
    toItem: ({ workflow }) => ({ ...toWorkflow(workflow), stats: toStats(stats.get(workflow.id)) }),
  });
}

/** The rows behind a cursor's. */
function after(cursor: string | undefined, search: WorkflowSearch | null): SQL | undefined {
  if (cursor === undefined) return undefined;
  const { createdAt, id } = workflows;
  if (!search) {
    const last = momentAndId(cursor);
    return or(lt(createdAt, last.at), and(eq(createdAt, last.at), lt(id, last.id)));
  }
  const last = scoreMomentAndId(cursor);
  return sql`(${search.score}, ${createdAt}, ${id}) < (${last.score}::int, ${iso(last.at)}::timestamptz, ${last.id}::text)`;
}

/**
 * The workflow with this id, or with this slug in the project; without a project the slug must be unique.
 *
 * @throws {NotFoundError}
 * @throws {ConflictError} `ambiguous` when several projects have the slug.
 */
export async function getWorkflow(db: Database, idOrSlug: string, projectId?: string): Promise<Workflow> {
  const named = and(eq(workflows.slug, idOrSlug), isNull(workflows.archivedAt));
  const row = pick(idOrSlug, projectId, await candidates(db, or(eq(workflows.id, idOrSlug), named)));
  return { ...toWorkflow(row), stats: toStats((await statsOf(db, [row.id])).get(row.id)) };
}

/** As `getWorkflow`, by id, slug or name, and never an archived one: what a start may say. Its runs are not counted. */
export async function findWorkflow(db: Database, idSlugOrName: string, projectId?: string): Promise<StartableWorkflow> {
  const found = await startable(db).execute({ name: idSlugOrName });
  const rows = found.map(({ workflow, program }) => ({ ...workflow, program }));
  const row = pick(idSlugOrName, projectId, rows);
  // The loader wrote this column; its shape is the type's.
  return { ...toWorkflow(row), program: row.program as Program | null };
}

const startable = prepared((orm) => {
  const name = sql.placeholder("name");
  const named = or(eq(workflows.id, name), eq(workflows.slug, name), eq(workflows.name, name));
  const itsRevision = and(eq(workflowVersions.workflowId, workflows.id), eq(workflowVersions.revision, workflows.revision));
  return orm
    .select({ workflow: workflows, program: workflowVersions.program })
    .from(workflows)
    .leftJoin(workflowVersions, itsRevision)
    .where(and(named, isNull(workflows.archivedAt)))
    .orderBy(workflows.createdAt)
    .prepare("workflow_to_start");
});

/** Newest first. */
export async function listVersions(db: Database, workflowId: string, query: PageQuery): Promise<Listed<WorkflowVersion>> {
  const { limit, offset } = sliceOf(query);
  const ofWorkflow = eq(workflowVersions.workflowId, workflowId);
  const older = query.cursor === undefined ? undefined : lt(workflowVersions.revision, numberOf(query.cursor));
  const { workflowId: workflow_id, revision, hash, createdAt, program } = workflowVersions;
  const rows = await db.orm
    .select({ workflow_id, revision, hash, createdAt, loaded: sql<boolean>`${program} is not null` })
    .from(workflowVersions)
    .where(and(ofWorkflow, older))
    .orderBy(desc(revision))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(workflowVersions).where(ofWorkflow);
  return toPage(query, {
    rows,
    total: all?.total ?? 0,
    placeOf: (row) => [row.revision],
    toItem: ({ createdAt: at, ...version }) => ({ ...version, created_at: iso(at) }),
  });
}

/** A revision's definition as it was written: a JSON value for JSON, else the text. Null when there is none. */
export async function getDefinition(db: Database, { id, revision, type }: Workflow): Promise<Json> {
  const [row] = await db.orm
    .select({ source: workflowVersions.source })
    .from(workflowVersions)
    .where(and(eq(workflowVersions.workflowId, id), eq(workflowVersions.revision, revision)));
  if (!row) return null;
  return type === "json" ? JSON.parse(row.source) : row.source;
}

/**
 * What runs of a revision carry out; null when it was never loaded.
 *
 * @throws {NotFoundError} when the workflow never had this revision.
 */
export async function getProgram(db: Database, workflowId: string, revision: number): Promise<Program | null> {
  const [row] = await db.orm
    .select({ program: workflowVersions.program })
    .from(workflowVersions)
    .where(and(eq(workflowVersions.workflowId, workflowId), eq(workflowVersions.revision, revision)));
  if (!row) throw new NotFoundError("revision", `${revision} of the workflow ${workflowId}`);
  // The loader wrote this column; its shape is the type's.
  return row.program as Program | null;
}

async function candidates(db: Database, wanted: SQL | undefined): Promise<WorkflowRow[]> {
  return await db.orm.select().from(workflows).where(wanted).orderBy(workflows.createdAt);
}

/** Id before slug before name; of several projects' workflows the asked project's own before a built-in one. */
function pick<Row extends WorkflowRow>(name: string, projectId: string | undefined, rows: Row[]): Row {
  const usable = rows.filter((row) => projectId === undefined || row.projectId === projectId || row.projectId === null);
  const byId = usable.filter((row) => row.id === name);
  const found = byId.length > 0 ? byId : preferred(usable, name, projectId);
  const [row] = found;
  if (!row) throw new NotFoundError("workflow", name);
  if (found.length > 1) {
    throw new ConflictError(
      `${found.length} workflows are called ${name}. Name the project, or the workflow by its id.`,
      "ambiguous",
    );
  }
  return row;
}

function preferred<Row extends WorkflowRow>(rows: Row[], name: string, projectId: string | undefined): Row[] {
  const bySlug = rows.filter((row) => row.slug === name);
  const named = bySlug.length > 0 ? bySlug : rows;
  const own = named.filter((row) => projectId !== undefined && row.projectId === projectId);
  return own.length > 0 ? own : named;
}

interface Stats {
  executions: number;
  successful: number;
  finished: number;
  average: number | null;
}

async function statsOf(db: Database, ids: string[]): Promise<Map<string, Stats>> {
  if (ids.length === 0) return new Map();
  const rows = await db.orm
    .select({
      id: runs.workflowId,
      executions: count(),
      successful: sql<number>`(count(*) filter (where ${runs.status} = 'completed'))::int`,
      finished: sql<number>`(count(*) filter (where ${runs.status} in ('completed', 'failed', 'cancelled', 'timed_out')))::int`,
      average: sql<number | null>`
        (avg(extract(epoch from ${runs.completedAt} - ${runs.startedAt}) * 1000) filter (where ${runs.status} = 'completed'))::float8`,
    })
    .from(runs)
    .where(inArray(runs.workflowId, ids))
    .groupBy(runs.workflowId);
  return new Map(rows.map((row) => [row.id, row]));
}

function toWorkflow(row: WorkflowRow): WorkflowAlone {
  return {
    id: row.id,
    project_id: row.projectId,
    name: row.name,
    slug: row.slug,
    description: row.description,
    type: row.type,
    dialect: Dialect.parse(row.dialect),
    path: row.filePath,
    revision: row.revision,
    version: row.version,
    phases: row.phases,
    args_schema: row.argsSchema,
    config: row.config,
    timeout_ms: row.timeoutMs,
    tags: row.tags,
    author: row.author,
    enabled: row.isActive,
    is_active: row.isActive,
    is_template: row.isTemplate,
    source: row.source,
    load_error: row.loadError,
    created_at: iso(row.createdAt),
    updated_at: iso(row.updatedAt),
  };
}

function toStats(stats: Stats | undefined): Workflow["stats"] {
  return {
    executions: stats?.executions ?? 0,
    successful: stats?.successful ?? 0,
    success_rate: stats && stats.finished > 0 ? stats.successful / stats.finished : null,
    average_duration_ms: stats?.average == null ? null : Math.max(0, Math.round(stats.average)),
  };
}
