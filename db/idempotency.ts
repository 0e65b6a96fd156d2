import { and, eq, isNull, lt, sql } from "drizzle-orm";
import type { Json } from "../contract/json.js";
import type { Database } from "./database.js";
import { idempotencyKeys } from "./schema.js";

/** How long a key stands for the request it came with. */
const KEPT = sql`interval '24 hours'`;

/** A request that may be sent again, and what it was given. */
export interface KeyedRequest {
  key: string;
  user_id: string;
  route: string;
  body_hash: string;
  /** The id chosen for what the request makes. */
  resource_id: string;
}

export interface KeptRequest extends KeyedRequest {
  created_at: string;
  answer: { status: number; body: Json } | null;
}

export async function findKey(db: Database, key: string): Promise<KeptRequest | null> {
  const [row] = await db.orm
    .select()
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.key, key), sql`${idempotencyKeys.createdAt} >= now() - ${KEPT}`));
  if (!row) return null;
  return {
    key: row.key,
    user_id: row.userId,
    route: row.route,
    body_hash: row.bodyHash,
    resource_id: row.resourceId,
    created_at: row.createdAt.toISOString(),
    answer: row.status === null ? null : { status: row.status, body: row.response },
  };
}

/** Keep a request before anything is done for it. Who keeps a key first decides; all others are given what that one kept. */
export async function keepKey(db: Database, request: KeyedRequest): Promise<KeptRequest> {
  await db.orm.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, sql`now() - ${KEPT}`));
  await db.orm
    .insert(idempotencyKeys)
    .values({
      key: request.key,
      userId: request.user_id,
      route: request.route,
      bodyHash: request.body_hash,
      resourceId: request.resource_id,
    })
    .onConflictDoNothing();
  const kept = await findKey(db, request.key);
  if (!kept) throw new Error(`The idempotency key ${request.key} went as it was kept.`);
  return kept;
}

/** Keep the answer, unless one is kept already, and give the kept one back: all who ask with a key get the same. */
export async function answerKey(
  db: Database,
  key: string,
  answer: { status: number; body: Json },
): Promise<{ status: number; body: Json }> {
  await db.orm
    .update(idempotencyKeys)
    .set({ status: answer.status, response: answer.body })
    .where(and(eq(idempotencyKeys.key, key), isNull(idempotencyKeys.status)));
  return (await findKey(db, key))?.answer ?? answer;
}
