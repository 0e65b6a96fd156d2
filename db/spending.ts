import { sql } from "drizzle-orm";
import { Budget, type Spent, spentBy } from "../contract/budget.js";
import type { Database } from "./database.js";

interface SumRow {
  [column: string]: unknown;
  input_tokens: number;
  output_tokens: number;
  cache_creation_input_tokens: number;
  cost_usd: number;
  turns: number;
  worked_ms: number;
}

const MEASURED = ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cost_usd", "turns", "worked_ms"] as const;

const SUMS = sql.join(
  MEASURED.map((field) => sql.raw(`coalesce(sum((s.usage ->> '${field}')::numeric), 0)::float8 as ${field}`)),
  sql`, `,
);

/** What the agents of a run and of all runs under it have spent, as far as it is told. */
export async function spentByRuns(db: Database, runId: string): Promise<Spent> {
  const { rows } = await db.orm.execute<SumRow>(sql`
    with recursive tree as (
      select id from mirror.runs where id = ${runId}
      union
      select r.id from mirror.runs r join tree on r.parent_run_id = tree.id
    )
    select ${SUMS} from mirror.agent_sessions s join tree on s.run_id = tree.id`);
  return toSpent(rows[0]);
}

/** What a project's agents have spent today, by UTC, and may spend in a day (`budget_per_day` of its settings). Null without such a budget. */
export async function spentToday(db: Database, projectId: string): Promise<{ budget: Budget; spent: Spent } | null> {
  const { rows } = await db.orm.execute<{ budget: unknown }>(
    sql`select settings -> 'budget_per_day' as budget from app.projects where id = ${projectId}`,
  );
  const budget = Budget.safeParse(rows[0]?.budget);
  if (!budget.success) return null;
  const { rows: sums } = await db.orm.execute<SumRow>(sql`
    select ${SUMS} from mirror.agent_sessions s join mirror.runs r on r.id = s.run_id
    where r.project_id = ${projectId} and s.created_at >= date_trunc('day', now(), 'UTC')`);
  return { budget: budget.data, spent: toSpent(sums[0]) };
}

function toSpent(row: SumRow | undefined): Spent {
  if (!row) throw new Error("A sum has no row.");
  return spentBy(row, row.worked_ms);
}
