import { and, count, desc, eq, inArray, lt, or } from "drizzle-orm";
import { ApprovalInput, type ApprovalRecord } from "../contract/approval.js";
import { ConflictError, NotFoundError } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import type { PageQuery } from "../contract/page.js";
import type { StepKind } from "../contract/step.js";
import type { WaitingFor } from "../contract/waiting-for.js";
import type { Database } from "./database.js";
import { type Listed, momentAndId, sliceOf, toPage } from "./page.js";
import { approvalAnswers, steps } from "./schema.js";
import { iso } from "./time.js";

export interface AskedApproval {
  /** Row id of its step. */
  id: string;
  key: string;
  /** JSON schema of the answer's fields; without one an answer has none. */
  fields?: Json;
  /** Names what is asked now, of a step that may ask several times. Absent when it does not wait. */
  request?: string;
}

/** Kinds of steps that ask people. */
const ASKING: StepKind[] = ["approval", "agent"];

/**
 * What the step with this row id asks, or of those with this key the one that waits for an answer; the last one when none does.
 *
 * @throws {NotFoundError} when it is no step that asks.
 * @throws {ConflictError} `ambiguous` when several with this key wait; `superseded` when the run was restored to what it was before it.
 */
export async function findApproval(db: Database, runId: string, idOrKey: string): Promise<AskedApproval> {
  const named = or(eq(steps.id, idOrKey), eq(steps.stepKey, idOrKey));
  const rows = await db.orm
    .select({
      id: steps.id,
      key: steps.stepKey,
      kind: steps.kind,
      waitingFor: steps.waitingFor,
      input: steps.input,
      superseded: steps.superseded,
    })
    .from(steps)
    .where(and(eq(steps.runId, runId), inArray(steps.kind, ASKING), named))
    .orderBy(steps.stepNumber);
  const waiting = rows.filter(({ waitingFor }) => waitingFor?.kind === "approval");
  const current = rows.filter(({ superseded }) => !superseded);
  const row = rows.find(({ id }) => id === idOrKey) ?? waiting[0] ?? current.at(-1) ?? rows.at(-1);
  if (!row) throw new NotFoundError("approval", idOrKey);
  if (row.id !== idOrKey && waiting.length > 1) {
    const ids = waiting.map(({ id }) => id).join(", ");
    throw new ConflictError(`${waiting.length} approvals called ${idOrKey} wait: name one by its id (${ids}).`, "ambiguous");
  }
  if (row.superseded) {
    const message = `The run was restored to what it was before this approval: ${idOrKey} takes no answer any more.`;
    throw new ConflictError(message, "superseded");
  }
  const { id, key, kind, waitingFor, input } = row;
  return { id, key, ...(kind === "approval" ? fieldsAsked(input) : askedNow(waitingFor)) };
}

/** One that was skipped has no input. */
function fieldsAsked(input: Json): Pick<AskedApproval, "fields"> {
  const asked = ApprovalInput.safeParse(input);
  return asked.success ? fieldsOf(asked.data) : {};
}

function askedNow(waitingFor: WaitingFor | null): Pick<AskedApproval, "fields" | "request"> {
  if (waitingFor?.kind !== "approval") return {};
  const { request } = waitingFor;
  return { ...fieldsOf(waitingFor), ...(request === undefined ? {} : { request }) };
}

function fieldsOf({ fields }: { fields?: Json | undefined }): Pick<AskedApproval, "fields"> {
  return fields === undefined ? {} : { fields };
}

/** What was said to a run's approvals, the latest first. */
export async function listApprovalRecords(
  db: Database,
  runId: string,
  { step_id, ...query }: PageQuery & { step_id?: string | undefined },
): Promise<Listed<ApprovalRecord>> {
  const { limit, offset } = sliceOf(query);
  const from = query.cursor === undefined ? undefined : momentAndId(query.cursor);
  const { at, id } = approvalAnswers;
  const before = from && or(lt(at, from.at), and(eq(at, from.at), lt(id, from.id)));
  const wanted = and(eq(approvalAnswers.runId, runId), step_id === undefined ? undefined : eq(approvalAnswers.stepId, step_id));
  const rows = await db.orm
    .select()
    .from(approvalAnswers)
    .where(and(wanted, before))
    .orderBy(desc(at), desc(id))
    .limit(limit)
    .offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(approvalAnswers).where(wanted);
  return toPage(query, { rows, total: all?.total ?? 0, placeOf: (row) => [iso(row.at), row.id], toItem: toRecord });
}

/** Whether what was said is kept under this id. */
export async function isApprovalRecord(db: Database, id: string): Promise<boolean> {
  const found = await db.orm.select({ id: approvalAnswers.id }).from(approvalAnswers).where(eq(approvalAnswers.id, id));
  return found.length > 0;
}

function toRecord({ runId, stepId, at, ...row }: typeof approvalAnswers.$inferSelect): ApprovalRecord {
  return { ...row, run_id: runId, step_id: stepId, at: iso(at) };
}
