import type { Json } from "../contract/json.js";
import type { Connection } from "./database.js";
import { audit } from "./schema.js";

export interface AuditEntry {
  user_id: string | null;
  /** A verb and its noun: `run.delete`, `project.delete`. */
  action: string;
  /** The id of what was acted on. */
  subject: string;
  data?: Json;
}

/** Write down that someone did something that leaves no other trace. */
export async function recordAudit(
  db: { orm: Pick<Connection, "insert"> },
  { user_id, action, subject, data = {} }: AuditEntry,
): Promise<void> {
  await db.orm.insert(audit).values({ userId: user_id, action, subject, data });
}
