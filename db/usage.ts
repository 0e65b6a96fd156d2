import { and, inArray, isNotNull, sql } from "drizzle-orm";
import { Usage } from "../contract/usage.js";
import type { Database } from "./database.js";
import { agentSessions } from "./schema.js";

/** What the agents of each run have used; runs without any are not among them. */
export async function usageOfRuns(db: Database, runIds: string[]): Promise<Map<string, Usage>> {
  if (runIds.length === 0) return new Map();
  const { runId, usage } = agentSessions;
  const sums = Object.keys(Usage.shape).map((field) => sql`${sql.raw(`'${field}'`)}, sum((${usage}->>${field})::numeric)`);
  const rows = await db.orm
    .select({ runId, sum: sql<unknown>`jsonb_build_object(${sql.join(sums, sql`, `)})` })
    .from(agentSessions)
    .where(and(inArray(runId, runIds), isNotNull(usage)))
    .groupBy(runId);
  return new Map(
    rows.flatMap(({ runId: id, sum }) => {
      const read = Usage.safeParse(sum);
      return read.success ? [[id, read.data] as const] : [];
    }),
  );
}
