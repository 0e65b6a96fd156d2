import { and, eq, gt, isNull, or } from "drizzle-orm";
import type { Database } from "./database.js";
import { LOCAL_USER } from "./migrate.js";
import { tokens } from "./schema.js";

export interface User {
  id: string;
}

/** Who the installation's own token stands for. */
export const localUser: User = { id: LOCAL_USER };

/** Whose token this is, by the sha256 of the token in hex; null for an unknown or expired one. */
export async function findUserByToken(db: Database, hash: string): Promise<User | null> {
  const valid = or(isNull(tokens.expiresAt), gt(tokens.expiresAt, new Date()));
  const [user] = await db.orm
    .select({ id: tokens.userId })
    .from(tokens)
    .where(and(eq(tokens.hash, hash), valid));
  return user ?? null;
}
