import { and, asc, count, eq, gt, isNull, or } from "drizzle-orm";
import { ConflictError, NotFoundError } from "../contract/errors.js";
import { newId } from "../contract/id.js";
import type { PageQuery } from "../contract/page.js";
import type { User } from "../contract/user.js";
import type { Database } from "./database.js";
import { type Listed, momentAndId, sliceOf, toPage } from "./page.js";
import { tokens, users } from "./schema.js";
import { iso } from "./time.js";

/** Who came first comes first. */
export async function listUsers(db: Database, query: PageQuery): Promise<Listed<User>> {
  const { limit, offset } = sliceOf(query);
  const from = query.cursor === undefined ? undefined : momentAndId(query.cursor);
  const after = from && or(gt(users.createdAt, from.at), and(eq(users.createdAt, from.at), gt(users.id, from.id)));
  const rows = await db.orm
    .select()
    .from(users)
    .where(after)
    .orderBy(asc(users.createdAt), asc(users.id))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(users);
  return toPage(query, { rows, total: all?.total ?? 0, placeOf: (row) => [iso(row.createdAt), row.id], toItem: toUser });
}

/** @throws {ConflictError} `exists` */
export async function createUser(db: Database, { id, name }: { id: string; name: string }): Promise<User> {
  const [row] = await db.orm.insert(users).values({ id, name, createdAt: new Date() }).onConflictDoNothing().returning();
  if (!row) throw new ConflictError(`There is a user ${id} already.`, "exists");
  return toUser(row);
}

/** @throws {NotFoundError} */
export async function getUser(db: Database, id: string): Promise<User> {
  const [row] = await db.orm.select().from(users).where(eq(users.id, id));
  if (!row) throw new NotFoundError("user", id);
  return toUser(row);
}

/** @param hash sha256 of the token, in hex. */
export async function addToken(db: Database, userId: string, hash: string): Promise<void> {
  await db.orm.insert(tokens).values({ id: newId("tok"), userId, name: "", hash, createdAt: new Date() });
}

/** All of the user's tokens are good for nothing any more. */
export async function removeTokens(db: Database, userId: string): Promise<void> {
  await db.orm.delete(tokens).where(eq(tokens.userId, userId));
}

/** Whether the user has a token that counts. */
export async function hasToken(db: Database, userId: string): Promise<boolean> {
  const valid = or(isNull(tokens.expiresAt), gt(tokens.expiresAt, new Date()));
  const found = await db.orm
    .select({ id: tokens.id })
    .from(tokens)
    .where(and(eq(tokens.userId, userId), valid))
    .limit(1);
  return found.length > 0;
}

function toUser({ id, name, createdAt }: typeof users.$inferSelect): User {
  return { id, name, created_at: iso(createdAt) };
}
