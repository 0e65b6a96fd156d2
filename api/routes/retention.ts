import { z } from "zod";
import { Id } from "../../contract/id.js";
import { PruneReport, Retention, RetentionKind } from "../../contract/retention.js";
import type { ApiContext } from "../context.js";
import { anyCase } from "../fields.js";
import { prune } from "../prune.js";
import { One, ok, type Route, route } from "../route.js";

const PruneBody = z.strictObject({
  /** Asked for nothing else, it only says what would go. */
  dry_run: z.boolean().default(true),
  kinds: z.array(anyCase(RetentionKind.options)).min(1).max(4).optional(),
  /** Instead of what the settings say, for each of the kinds. */
  older_than_days: z.int().min(0).max(36_500).optional(),
  project_id: Id.optional(),
  run_id: Id.optional(),
});

/** What is kept, and for how long. */
export function retentionRoutes(context: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/",
      summary: "For how many days after a run's end what is kept; null for ever",
      answers: { 200: One(Retention) },
      handle: async () => ok(context.config.keep),
    }),
    route({
      method: "post",
      path: "/prune",
      summary: "Remove what has been kept long enough, or say what that would be (`dry_run`, true by default)",
      body: PruneBody,
      answers: { 200: One(PruneReport) },
      handle: async ({ body: { dry_run, kinds, older_than_days: age, project_id, run_id }, user }) => {
        // An age without a kind never means runs themselves.
        const meant = kinds ?? (age === undefined ? undefined : RetentionKind.options.filter((kind) => kind !== "runs"));
        const asked = age === undefined ? context.config.keep : { checkpoints: age, trees: age, logs: age, runs: age };
        const what = { kinds: meant, project_id, run_id };
        return ok(await prune(context, { dryRun: dry_run, keep: asked, user_id: user.id, ...what }));
      },
    }),
  ];
}
