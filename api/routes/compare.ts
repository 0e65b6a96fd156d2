import { z } from "zod";
import { Comparison } from "../../contract/comparison.js";
import { Id } from "../../contract/id.js";
import { compareRuns } from "../compare-runs.js";
import type { ApiContext } from "../context.js";
import { ById, Flag } from "../fields.js";
import { One, ok, type Route, route } from "../route.js";

export function compareRoutes(context: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/:id/compare",
      summary: "Put a run beside another one: steps, outputs, cost, time and trees; `patch=false` leaves the patch out",
      params: ById,
      query: z.strictObject({ with: Id, patch: Flag.optional() }),
      answers: { 200: One(Comparison) },
      handle: async ({ params, query }) =>
        ok(await compareRuns(context, [params.id, query.with], { patch: query.patch ?? true })),
    }),
  ];
}
