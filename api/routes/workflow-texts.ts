import { z } from "zod";
import { InvalidError, NotFoundError } from "../../contract/errors.js";
import { Id } from "../../contract/id.js";
import { Json } from "../../contract/json.js";
import type { Plan } from "../../contract/plan.js";
import { Time } from "../../contract/time.js";
import { Dialect, type Workflow } from "../../contract/workflow.js";
import { getVersion, type WholeVersion } from "../../db/workflow-changes.js";
import { getWorkflow } from "../../db/workflows.js";
import { toDag } from "../../definition/dag.js";
import type { ExportResult } from "../../definition/export.js";
import { toPhases } from "../../definition/phases.js";
import { toStages } from "../../definition/stages.js";
import { toTools } from "../../definition/tools.js";
import { attachmentHeaders } from "../attachment.js";
import type { ApiContext } from "../context.js";
import { ENDINGS, type Format, formatOf, formatOfType, valueOfText, writtenOut } from "../definition-text.js";
import { anyCase, IdOrSlug, wholeNumber } from "../fields.js";
import { One, ok, type Route, route } from "../route.js";
import { InProject } from "./workflows.js";

const Version = z.object({
  workflow_id: Id,
  revision: z.int(),
  hash: z.string(),
  loaded: z.boolean(),
  created_at: Time,
  /** As it was written. */
  source: z.string(),
  definition: Json,
});

const WRITERS: Record<Exclude<Dialect, "typescript">, (plan: Plan, format: "yaml" | "json") => ExportResult> = {
  phases: toPhases,
  stages: toStages,
  dag: toDag,
  tools: toTools,
};

const MEDIA = {
  yaml: "application/yaml; charset=utf-8",
  json: "application/json; charset=utf-8",
  typescript: "text/plain; charset=utf-8",
} as const;

/** Of `/api/workflows`: the texts of a workflow. */
export function workflowTextRoutes({ db }: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/:id/export",
      summary: "Get a workflow's definition as a file",
      params: IdOrSlug,
      query: z.strictObject({
        ...InProject.shape,
        format: anyCase(["yaml", "json", "typescript"]).optional(),
        dialect: anyCase(Dialect.options).optional(),
        revision: wholeNumber(1, 1_000_000_000).optional(),
      }),
      answers: { 200: null },
      media: { answer: "application/octet-stream" },
      handle: async ({ params, query }, req, res) => {
        const workflow = await getWorkflow(db, params.id, query.project_id);
        const version = await getVersion(db, workflow.id, query.revision ?? workflow.revision);
        if (!version)
          throw new NotFoundError("revision", `${query.revision ?? workflow.revision} of the workflow ${workflow.name}`);
        const { text, format, name } = exported(workflow, version, query);
        res.status(200).set({ ...attachmentHeaders(name), "Content-Type": MEDIA[format] });
        res.end(req.method === "HEAD" ? undefined : text);
        return null;
      },
    }),
    route({
      method: "get",
      path: "/:id/versions/:revision",
      summary: "Get a content that a workflow has had",
      params: z.strictObject({ ...IdOrSlug.shape, revision: wholeNumber(1, 1_000_000_000) }),
      query: InProject,
      answers: { 200: One(Version) },
      handle: async ({ params, query }) => {
        const workflow = await getWorkflow(db, params.id, query.project_id);
        const version = await getVersion(db, workflow.id, params.revision);
        if (!version) throw new NotFoundError("revision", `${params.revision} of the workflow ${workflow.name}`);
        const { program, ...shown } = version;
        const isJson = writtenIn(workflow, version) === "json";
        const definition: Json = isJson ? JSON.parse(version.source) : version.source;
        return ok({ workflow_id: workflow.id, ...shown, loaded: program !== null, definition });
      },
    }),
  ];
}

interface Wanted {
  format?: Format | undefined;
  dialect?: Dialect | undefined;
}

/**
 * The text as it was written, or the same in another format, or the same plan in another dialect.
 *
 * @throws {InvalidError} naming what cannot be said otherwise.
 */
function exported(
  workflow: Workflow,
  version: WholeVersion,
  { format, dialect }: Wanted,
): { text: string; format: Format; name: string } {
  const written = writtenIn(workflow, version);
  const plan = version.program?.kind === "plan" ? version.program.plan : null;
  const isOwn = dialect === undefined || dialect === workflow.dialect;
  const wanted = format ?? (isOwn || written !== "typescript" ? written : "yaml");
  const id = (dialect ?? workflow.dialect) === "stages" ? plan?.id : undefined;
  const name = id === undefined ? `${workflow.slug}.${ENDINGS[wanted]}` : `${id}.workflow.${wanted === "json" ? "json" : "yml"}`;
  if (isOwn && wanted === written) return { text: version.source, format: wanted, name };
  if (!plan || wanted === "typescript" || dialect === "typescript") {
    const path = isOwn ? "format" : "dialect";
    const message = plan ? "is typescript, which no plan can be written in" : "is not what code can be written in";
    throw new InvalidError(`${path} ${message}.`, [{ path, message }]);
  }
  if (isOwn) return { text: writtenOut(valueOfText(version.source, written), wanted), format: wanted, name };
  const result = WRITERS[dialect](plan, wanted);
  if (result.ok) return { text: result.text, format: wanted, name };
  const [first, ...more] = result.problems;
  const others = more.length === 0 ? "" : ` There is more that it cannot say (${more.length}).`;
  throw new InvalidError(`${first?.message ?? `The dialect ${dialect} cannot say this.`}${others}`, result.problems);
}

/** What a revision was written in: its file may have been another one then. */
function writtenIn({ type }: Workflow, { program }: WholeVersion): Format {
  return program ? formatOf(program.file) : formatOfType(type);
}
