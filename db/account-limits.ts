import { and, desc, eq, gt, isNull, lt, or, sql } from "drizzle-orm";
import type { Halt } from "../contract/halt.js";
import type { Database } from "./database.js";
import { accountLimits } from "./schema.js";

type UsageLimit = Extract<Halt, { why: "limit" }>;

export interface AccountKey {
  provider: string;
  /** A hash of the credentials. */
  id: string;
  /** As steps name it; empty where they do not. */
  model: string;
}

/** The limit of the account, or of this model of it, that is over last. Null when none is under way. */
export async function findLimit(db: Database, { provider, id, model }: AccountKey): Promise<UsageLimit | null> {
  const { provider: of, account, model: ofModel, until } = accountLimits;
  const [row] = await db.orm
    .select()
    .from(accountLimits)
    .where(and(eq(of, provider), eq(account, id), or(isNull(ofModel), eq(ofModel, model)), gt(until, sql`now()`)))
    .orderBy(desc(until))
    .limit(1);
  if (!row) return null;
  return {
    why: "limit",
    until: row.until.toISOString(),
    message: row.message,
    ...(row.model !== null && { of_model: true }),
  };
}

/** Keep a limit, and let go of those that are over. Of two that are told of the same the later one counts. */
export async function noteLimit(db: Database, { provider, id, model }: AccountKey, limit: UsageLimit): Promise<void> {
  await db.orm.delete(accountLimits).where(lt(accountLimits.until, sql`now()`));
  const row = {
    provider,
    account: id,
    model: limit.of_model ? model : null,
    until: new Date(limit.until),
    message: limit.message,
  };
  await db.orm
    .insert(accountLimits)
    .values(row)
    .onConflictDoUpdate({
      target: [accountLimits.provider, accountLimits.account, accountLimits.model],
      set: { until: row.until, message: row.message },
      setWhere: lt(accountLimits.until, row.until),
    });
}
