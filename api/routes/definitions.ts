import { z } from "zod";
import { Json, JsonObject } from "../../contract/json.js";
import type { LoadedWorkflow } from "../../contract/loader.js";
import type { Plan } from "../../contract/plan.js";
import { WholeRun } from "../../contract/whole-run.js";
import { Dialect } from "../../contract/workflow.js";
import { registerGiven } from "../../db/register-given.js";
import { graphOf } from "../../definition/graph.js";
import type { ApiContext } from "../context.js";
import { compileGiven, definitionFields } from "../given-definition.js";
import { once } from "../idempotency.js";
import { canonicalNames } from "../names.js";
import { readRun } from "../read-run.js";
import { created, One, ok, type Route, route } from "../route.js";
import { prepareRun, projectFor, startFields, startRun } from "../start-run.js";

/** What a good definition is. */
const Checked = z.object({
  valid: z.literal(true),
  name: z.string(),
  description: z.string().nullable(),
  dialect: Dialect,
  /** The author's own. */
  version: z.string().nullable(),
  /** Of the plan: equal for definitions that do the same. */
  hash: z.string(),
  phases: z.array(z.string()),
  args_schema: Json.nullable(),
  timeout_ms: z.int(),
  /** In an order in which each comes after those it needs. */
  steps: z.array(
    z.object({ key: z.string(), name: z.string(), kind: z.string(), phase: z.string().nullable(), needs: z.array(z.string()) }),
  ),
  /** Keys of the steps that need none, of those that need only them, and so on. */
  levels: z.array(z.array(z.string())),
});

/** A repository as templates name it; as `owner/name` without its branch. */
const Repo = z.union(
  [
    z
      .string()
      .regex(/^[^/\s]+\/[^/\s]+$/)
      .transform((text) => {
        const [owner = "", name = ""] = text.split("/");
        return { owner, name };
      }),
    z.strictObject({ owner: z.string().min(1), name: z.string().min(1), default_branch: z.string().min(1).optional() }),
  ],
  'is { "owner", "name", "default_branch" } or "owner/name"',
);

const WholeStart = z.strictObject({
  ...definitionFields,
  ...startFields,
  variables: JsonObject.optional(),
  repo: Repo.optional(),
});
const ALIASES = { workflow: "definition", args: "input" };

/** A definition with what its run is to have, or the bare definition as it is in a file. */
const InlineStart = z.preprocess(
  (body) => (isBare(body) ? { definition: body } : canonicalNames(body, WholeStart, ALIASES)),
  WholeStart,
);

/** Bare documents: each has a key by which it shows that it is one. */
const BARE = {
  steps: z.looseObject({ name: z.string(), steps: z.array(JsonObject) }),
  stages: z.looseObject({ stages: z.array(z.string()) }),
  stageConfigs: z.looseObject({ stageConfigs: JsonObject }),
};

function isBare(body: unknown): boolean {
  return body !== null && typeof body === "object" && Object.keys(BARE).some((key) => key in body) && !("definition" in body);
}

/** Of `/api/workflows`: what is known of a definition without keeping it. */
export function validateRoutes({ loader }: ApiContext): Route[] {
  return [
    route({
      method: "post",
      path: "/validate",
      summary: "Check a definition in YAML or JSON, and say what it would do; nothing is kept",
      body: z.strictObject(definitionFields),
      aliases: { workflow: "definition" },
      answers: { 200: One(Checked) },
      handle: async ({ body }) => ok(checked((await compileGiven(loader, body)).workflow)),
    }),
  ];
}

/** Of `/api/workflow`: runs of definitions that come with the request. */
export function inlineRoutes(context: ApiContext): Route[] {
  return [
    route({
      method: "post",
      path: "/execute",
      summary: "Start a run of a definition that comes with the request",
      body: InlineStart,
      shown: z.union([WholeStart, ...Object.values(BARE)]),
      answers: { 201: One(WholeRun) },
      handle: async ({ body, user }, req) =>
        once(context, req, { userId: user.id, route: "execute inline", body, prefix: "run" }, async (choose) => {
          const { workflow: loaded, source } = await compileGiven(context.loader, body);
          const project = await projectFor(context, body);
          const startable = { ...loaded, project_id: project.id, enabled: true, load_error: null };
          const { input, name, options, variables, repo } = body;
          const start = { project_id: project.id, input, name, options, variables, repo };
          const prepared = await prepareRun(context, startable, start, user);
          const workflow = await registerGiven(context.db, { project_id: project.id, source }, loaded);
          const chosen = await choose();
          await startRun(context, prepared, { ...chosen, workflow });
          return created(`/api/runs/${chosen.id}`, await readRun(context, chosen.id));
        }),
    }),
  ];
}

function checked(workflow: LoadedWorkflow): z.input<typeof Checked> {
  const { name, description, dialect, version, hash, phases, args_schema, timeout_ms, program } = workflow;
  const described = { valid: true as const, name, description, dialect, version, hash, phases, args_schema, timeout_ms };
  return { ...described, ...(program.kind === "plan" ? summaryOf(program.plan) : { steps: [], levels: [] }) };
}

function summaryOf({ steps }: Plan): Pick<z.input<typeof Checked>, "steps" | "levels"> {
  return {
    steps: steps.map(({ key, name = key, work, phase = null, needs }) => ({ key, name, kind: work.kind, phase, needs })),
    levels: graphOf(steps).levels,
  };
}
