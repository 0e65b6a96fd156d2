import { and, between, eq, sql } from "drizzle-orm";
import { NotFoundError } from "../contract/errors.js";
import { type AcceptedFact, eventKey, type Fact } from "../contract/fact.js";
import type { Connection } from "./database.js";
import { applyToRows } from "./fact-apply.js";
import { eventOf } from "./fact-event.js";
import type { StepRow, Told } from "./fact-rows.js";
import { enterExecution } from "./fact-run.js";
import { closeSteps } from "./fact-step.js";
import { findRun, insertRun, loadRows, lockRun } from "./projection-load.js";
import { appendEvents, type NewEvent, writeRows } from "./projection-write.js";
import { executions, facts as factTable } from "./schema.js";
import { digestOf } from "./storable.js";

export interface Applied {
  /** All facts 1..told of this execution are in the database. */
  told: number;
  /** Some were not written, because facts before them are missing: replay the history from its start. */
  gap: boolean;
  /** Those that were new, or different from an earlier telling. */
  applied: Fact[];
}

interface Manner {
  /** What is outside the mirror (events kept in the run folder, audit rows) is there already. @default false */
  rebuilding?: boolean;
}

/** `applyFacts` inside a transaction, for facts that are storable and in order of `seq`. */
export async function tellFacts(
  tx: Connection,
  runId: string,
  execution: string,
  facts: readonly Fact[],
  { rebuilding = false }: Manner = {},
): Promise<Applied> {
  await lockRun(tx, runId);
  const run = (await findRun(tx, runId)) ?? (await beginRun(tx, facts));
  if (run === null) return { told: 0, gap: facts.length > 0, applied: [] };
  if (run === "deleted") return { told: facts.at(-1)?.seq ?? 0, gap: false, applied: [] };

  const place = and(eq(executions.runId, runId), eq(executions.execution, execution));
  const [known] = await tx.select({ told: executions.told }).from(executions).where(place);
  const { tellings, told, gap } = await sortOut(tx, runId, execution, facts, known?.told ?? 0);
  if (tellings.length === 0) return { told, gap, applied: [] };

  const applied = tellings.map(({ fact }) => fact);
  const rows = await loadRows(tx, run, applied);
  if (!known) enterExecution(rows, execution);
  for (const { fact, again } of tellings) applyToRows(rows, fact, { again });
  if (rebuilding) rows.forgeries = [];
  const closed = closeSteps(rows);
  const first = tellings.filter(({ again }) => !again).map(({ fact }) => fact);
  await appendEvents(tx, rows, eventsOf(first, run.projectId, closed));
  await writeRows(tx, rows);
  await noteTellings(tx, { runId, execution, told, since: applied[0]?.at ?? run.createdAt.toISOString() }, tellings);
  return { told, gap, applied };
}

/** A run whose row is not there begins with its first fact; with another, the first is missing. */
async function beginRun(tx: Connection, [first]: readonly Fact[]) {
  return first?.type === "run.created" && first.seq === 1 ? insertRun(tx, first.run) : null;
}

interface Telling {
  fact: Fact;
  digest: string;
  /** Told before: it has its event, or never gets one. */
  again: boolean;
  /** Told before with other content. */
  retold: boolean;
}

/** What of these facts is to be written: new ones without a gap, and different tellings of old ones. */
async function sortOut(tx: Connection, runId: string, execution: string, facts: readonly Fact[], before: number) {
  const [first, last] = [facts[0], facts.at(-1)];
  const digests = new Map<number, string>();
  if (first && last && first.seq <= before) {
    const range = between(factTable.seq, first.seq, last.seq);
    const where = and(eq(factTable.runId, runId), eq(factTable.execution, execution), range);
    for (const { seq, digest } of await tx.select().from(factTable).where(where)) digests.set(seq, digest);
  }

  const tellings: Telling[] = [];
  let told = before;
  let differs = false;
  for (const fact of facts) {
    if (fact.seq > told + 1) return { tellings, told, gap: true };
    const digest = digestOf(fact);
    const again = fact.seq <= told;
    const retold = again && digests.get(fact.seq) !== digest;
    differs ||= retold;
    // After a different telling, what follows it in the same words sets its rows once more.
    if (!again || differs) tellings.push({ fact, digest, again, retold });
    digests.set(fact.seq, digest);
    told = Math.max(told, fact.seq);
  }
  return { tellings, told, gap: false };
}

interface Account {
  runId: string;
  execution: string;
  /** Facts 1..told are written. */
  told: number;
  /** When the execution's first fact was, should this be its first telling. */
  since: string;
}

async function noteTellings(
  tx: Connection,
  { runId, execution, told, since }: Account,
  tellings: readonly Telling[],
): Promise<void> {
  const bySeq = new Map<number, object>();
  for (const { fact, digest, retold } of tellings) bySeq.set(fact.seq, { seq: fact.seq, digest, retold });
  await tx.execute(sql`
    with noted as (
      insert into mirror.facts (run_id, execution, seq, digest, retold)
      select ${runId}, ${execution}, seq, digest, retold
      from jsonb_to_recordset(${JSON.stringify([...bySeq.values()])}::jsonb) as (seq int, digest text, retold boolean)
      on conflict (run_id, execution, seq) do update set digest = excluded.digest, retold = facts.retold or excluded.retold
    )
    insert into mirror.executions (run_id, execution, told, created_at)
    values (${runId}, ${execution}, ${told}, ${since})
    on conflict (run_id, execution) do update set told = excluded.told`);
}

/**
 * The events of facts told for the first time, and before the run's end those of the steps that this end has closed
 * instead of a fact of the run itself.
 */
export function eventsOf(told: readonly Told[], projectId: string, closed: readonly StepRow[] = []): NewEvent[] {
  const events = told.flatMap((fact) => {
    const event = eventOf(fact, projectId);
    if (!event) return [];
    const unless = fact.type === "step.finished" ? { unless: closingKey(fact.step_id) } : {};
    return [{ ...event, ...unless, key: eventKey(fact), at: fact.at }];
  });
  const end = told.at(-1)?.type === "run.finished" ? events.length - 1 : events.length;
  return [...events.slice(0, end), ...closed.map((step) => closingEvent(step, projectId)), ...events.slice(end)];
}

function closingEvent(step: StepRow, projectId: string): NewEvent {
  const data = { execution_id: step.runId, project_id: projectId, step_id: step.id, status: step.status };
  return { key: closingKey(step.id), type: "workflow.step.completed", data, at: step.updatedAt.toISOString() };
}

function closingKey(stepId: string): string {
  return `closed:${stepId}`;
}

const ACCEPTED = new Set(["run.created", "run.status", "comment.created", "artifact.created", "artifact.attached"]);

/** `applyAccepted` inside a transaction, for a storable fact. */
export async function tellAccepted(tx: Connection, fact: AcceptedFact, { rebuilding = false }: Manner = {}): Promise<void> {
  if (!ACCEPTED.has(fact.type)) throw new Error(`A fact ${fact.type} is told by runs alone.`);
  await lockRun(tx, fact.run_id);
  const run = (await findRun(tx, fact.run_id)) ?? (fact.type === "run.created" ? await insertRun(tx, fact.run) : null);
  if (run === null) throw new NotFoundError("run", fact.run_id);
  if (run === "deleted") return;

  const rows = await loadRows(tx, run, [fact]);
  const before = run.eventSeq;
  await appendEvents(tx, rows, eventsOf([fact], run.projectId));
  if (run.eventSeq === before && !rebuilding) return;
  applyToRows(rows, fact);
  await writeRows(tx, rows);
}
