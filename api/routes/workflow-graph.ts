import { z } from "zod";
import { ConflictError } from "../../contract/errors.js";
import { Id } from "../../contract/id.js";
import type { Plan } from "../../contract/plan.js";
import type { Workflow } from "../../contract/workflow.js";
import { WorkflowGraph } from "../../contract/workflow-graph.js";
import { getProgram, getWorkflow } from "../../db/workflows.js";
import { planGraph } from "../../definition/plan-graph.js";
import type { ApiContext } from "../context.js";
import { IdOrSlug, wholeNumber } from "../fields.js";
import { One, ok, type Route, route } from "../route.js";

/** Of `/api/workflows`: what the steps of one are to one another. */
export function workflowGraphRoutes({ db }: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/:id/graph",
      summary: "Show the steps of a workflow in YAML or JSON, and which waits for which",
      params: IdOrSlug,
      query: z.strictObject({ project_id: Id.optional(), revision: wholeNumber(1, 2_147_483_647).optional() }),
      answers: { 200: One(WorkflowGraph) },
      handle: async ({ params, query }) => {
        const workflow = await getWorkflow(db, params.id, query.project_id);
        const revision = query.revision ?? workflow.revision;
        const program = revision === 0 ? null : await getProgram(db, workflow.id, revision);
        return ok({ workflow_id: workflow.id, revision, ...planGraph(planOf(workflow, program)) });
      },
    }),
  ];
}

/** @throws {ConflictError} `no_graph` for code, and for what never loaded. */
function planOf({ name, load_error }: Workflow, program: Awaited<ReturnType<typeof getProgram>>): Plan {
  if (program?.kind === "plan") return program.plan;
  if (program?.kind === "code") {
    const why = "is in TypeScript: which steps it does is known as it runs";
    throw new ConflictError(`The workflow ${name} ${why}. A run of it has them at /api/runs/:id/steps.`, "no_graph");
  }
  throw new ConflictError(`The workflow ${name} has not been loaded${load_error ? `: ${load_error.message}` : "."}`, "no_graph");
}
