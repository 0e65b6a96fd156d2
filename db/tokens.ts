import { and, eq, gt, isNull, or } from "drizzle-orm";
import type { Database } from "./database.js";
import { LOCAL_USER } from "./migrate.js";
import { tokens, users } from "./schema.js";

export interface User {
  id: string;
  name: string;
}

/** Who the installation's own token stands for. */
export async function getLocalUser(db: Database): Promise<User> {
  const [user] = await db.orm.select({ id: users.id, name: users.name }).from(users).where(eq(users.id, LOCAL_USER));
  return user ?? { id: LOCAL_USER, name: LOCAL_USER };
}

/** Whose token this is, by the sha256 of the token in hex; null for an unknown or expired one. */
export async function findUserByToken(db: Database, hash: string): Promise<User | null> {
  const valid = or(isNull(tokens.expiresAt), gt(tokens.expiresAt, new Date()));
  const [user] = await db.orm
    .select({ id: users.id, name: users.name })
    .from(tokens)
    .innerJoin(users, eq(users.id, tokens.userId))
    .where(and(eq(tokens.hash, hash), valid));
  return user ?? null;
}
