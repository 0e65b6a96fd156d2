import { z } from "zod";
import { RunStatus } from "../../contract/run.js";
import { getStats } from "../../db/stats.js";
import type { ApiContext } from "../context.js";
import { One, ok, type Route, route } from "../route.js";

const Stats = z.object({
  projects: z.int(),
  workflows: z.int(),
  steps: z.int(),
  comments: z.int(),
  artifacts: z.int(),
  runs: z.object({ total: z.int(), by_status: z.record(RunStatus, z.int()) }),
  success_rate: z.number().nullable(),
  average_duration_ms: z.int().nullable(),
});

export function statsRoutes({ db }: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/",
      summary: "Count what there is",
      answers: { 200: One(Stats) },
      handle: async () => ok(await getStats(db)),
    }),
  ];
}
