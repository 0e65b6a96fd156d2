import { and, eq, or } from "drizzle-orm";
import { ApprovalInput } from "../contract/approval.js";
import { ConflictError, NotFoundError } from "../contract/errors.js";
import type { StepStatus } from "../contract/step.js";
import type { Database } from "./database.js";
import { steps } from "./schema.js";

export interface AskedApproval {
  /** Row id of its step. */
  id: string;
  key: string;
  status: StepStatus;
  input: ApprovalInput;
}

/**
 * The approval with this row id, or of those with this key the one that waits; the last one when none does.
 *
 * @throws {NotFoundError}
 * @throws {ConflictError} `ambiguous` when several with this key wait.
 */
export async function findApproval(db: Database, runId: string, idOrKey: string): Promise<AskedApproval> {
  const named = or(eq(steps.id, idOrKey), eq(steps.stepKey, idOrKey));
  const rows = await db.orm
    .select({ id: steps.id, key: steps.stepKey, status: steps.status, input: steps.input })
    .from(steps)
    .where(and(eq(steps.runId, runId), eq(steps.kind, "approval"), named))
    .orderBy(steps.stepNumber);
  const waiting = rows.filter(({ status }) => status === "waiting");
  const row = rows.find(({ id }) => id === idOrKey) ?? waiting[0] ?? rows.at(-1);
  if (!row) throw new NotFoundError("approval", idOrKey);
  if (row.id !== idOrKey && waiting.length > 1) {
    const ids = waiting.map(({ id }) => id).join(", ");
    throw new ConflictError(`${waiting.length} approvals called ${idOrKey} wait: name one by its id (${ids}).`, "ambiguous");
  }
  return { ...row, input: ApprovalInput.parse(row.input) };
}
