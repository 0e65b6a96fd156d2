import { z } from "zod";
import { Id } from "../../contract/id.js";
import { WorkflowStats } from "../../contract/workflow-stats.js";
import { getWorkflowStats } from "../../db/workflow-stats.js";
import { getWorkflow } from "../../db/workflows.js";
import type { ApiContext } from "../context.js";
import { IdOrSlug } from "../fields.js";
import { One, ok, type Route, route } from "../route.js";

/** A moment in a query: `2025-01-25T10:00:00Z`, with any offset, or a day. */
const Since = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    "is not a moment such as 2025-01-25T10:00:00Z, or a day such as 2025-01-25",
  )
  .transform((text) => new Date(text));

/** Of `/api/workflows`: how runs of one went. */
export function workflowStatsRoutes({ db }: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/:id/stats",
      summary: "Say how a workflow's runs went, and each of its steps in them",
      params: IdOrSlug,
      query: z.strictObject({ project_id: Id.optional(), since: Since.optional() }),
      answers: { 200: One(WorkflowStats) },
      handle: async ({ params, query }) => {
        const workflow = await getWorkflow(db, params.id, query.project_id);
        return ok(await getWorkflowStats(db, workflow.id, query.since ?? null));
      },
    }),
  ];
}
