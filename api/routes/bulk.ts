import { z } from "zod";
import { BulkAction, BulkResult } from "../../contract/bulk.js";
import { Id } from "../../contract/id.js";
import { RunStatus } from "../../contract/run.js";
import { bulkRuns } from "../bulk-runs.js";
import type { ApiContext } from "../context.js";
import { anyCase, wordList } from "../fields.js";
import { once } from "../idempotency.js";
import { One, type Route, route } from "../route.js";

const Filter = z.strictObject({
  project_id: Id.optional(),
  workflow_id: Id.optional(),
  status: z.union([wordList(RunStatus.options), z.array(anyCase(RunStatus.options)).min(1)]).optional(),
  branch: z.string().min(1).max(250).optional(),
  parent_run_id: Id.optional(),
  q: z.string().max(200).optional(),
});

const Body = z.strictObject({
  action: anyCase(BulkAction.options),
  filter: Filter.default({}),
  mode: anyCase(["boundary", "now"]).default("boundary"),
  reason: z.string().max(10_000).optional(),
  dry_run: z.boolean().default(true),
  count: z.int().min(0).optional(),
});

/** Many runs at once. */
export function bulkRoutes(context: ApiContext): Route[] {
  return [
    route({
      method: "post",
      path: "/bulk",
      summary: "Pause, resume, cancel or retry all runs that a filter finds; unless dry_run is false, only say which",
      body: Body,
      answers: { 200: One(BulkResult) },
      handle: async ({ body, user }, req) =>
        once(context, req, { userId: user.id, route: "bulk", body, prefix: "req" }, async (choose) => {
          if (!body.dry_run) await choose();
          return { status: 200, body: { data: await bulkRuns(context, body, user) } };
        }),
    }),
  ];
}
