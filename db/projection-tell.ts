import { and, between, eq, sql } from "drizzle-orm";
import { NotFoundError } from "../contract/errors.js";
import { type AcceptedFact, eventKey, type Fact } from "../contract/fact.js";
import type { Connection } from "./database.js";
import { applyToRows } from "./fact-apply.js";
import { eventOf } from "./fact-event.js";
import type { RunRow, RunRows, Told } from "./fact-rows.js";
import { enterExecution, isStray, speaksNext } from "./fact-run.js";
import { closeSessions } from "./fact-session.js";
import { closeSteps } from "./fact-step.js";
import { findRun, findRuns, insertRun, loadRows, lockRuns } from "./projection-load.js";
import { appendEvents, type NewEvent, writeRows } from "./projection-write.js";
import { facts as factTable } from "./schema.js";
import { digestOf } from "./storable.js";

/** What an execution of a run has told. */
export interface Narration {
  runId: string;
  /** Temporal's run id. */
  execution: string;
  facts: readonly Fact[];
}

export interface Applied {
  /** All facts 1..told of this execution are in the database. */
  told: number;
  /** Some were not written, because facts before them are missing: replay the history from its start. */
  gap: boolean;
  /** Those that were new, or different from an earlier telling. */
  applied: Fact[];
  /** The execution is none of the run's own: Temporal's reset has made it. Nothing was written. */
  stray?: boolean;
}

interface Manner {
  /** What is outside the mirror (events kept in the run folder, audit rows) is there already. @default false */
  rebuilding?: boolean;
  /** All events of these executions are there already, though perhaps under other keys. @default false */
  isHeard?: boolean;
}

/**
 * `applyTogether` inside a transaction, for facts that are storable and in order of `seq`. The runs are different ones.
 *
 * @returns in the order of the narrations.
 */
export async function tellFacts(
  tx: Connection,
  narrations: readonly Narration[],
  { rebuilding = false, isHeard = false }: Manner = {},
): Promise<Applied[]> {
  const ids = narrations.map(({ runId }) => runId);
  await lockRuns(tx, ids);
  const found = await findRuns(tx, narrations);
  const results: Applied[] = [];
  const accounts: Account[] = [];
  for (const narration of narrations) {
    const { runId, execution, facts } = narration;
    const { run, told: before } = found.get(runId) ?? { run: await beginRun(tx, facts), told: null };
    if (run !== null && run !== "deleted" && before === null && !rebuilding && isStray(run, execution, facts[0])) {
      results.push({ told: facts.at(-1)?.seq ?? 0, gap: false, applied: [], stray: true });
      continue;
    }
    if (run === null || run === "deleted") {
      const told = run === null ? 0 : (facts.at(-1)?.seq ?? 0);
      results.push({ told, gap: run === null && facts.length > 0, applied: [] });
      continue;
    }
    const { tellings, told, gap } = await sortOut(tx, narration, before ?? 0);
    const applied = tellings.map(({ fact }) => fact);
    results.push({ told, gap, applied });
    if (tellings.length > 0) accounts.push({ run, execution, isNew: before === null, told, tellings, facts: applied });
  }
  if (accounts.length > 0) await writeAccounts(tx, accounts, { rebuilding, isHeard });
  return results;
}

/** What is to be written of a run. */
interface Account {
  run: RunRow;
  execution: string;
  /** The execution has told nothing before. */
  isNew: boolean;
  /** Facts 1..told are written then. */
  told: number;
  tellings: readonly Telling[];
  /** The tellings' facts. */
  facts: readonly Fact[];
}

async function writeAccounts(tx: Connection, accounts: readonly Account[], { rebuilding, isHeard }: Manner): Promise<void> {
  const loaded = await loadRows(tx, accounts);
  const told = loaded.map((rows, i) => {
    const { run, execution, isNew, tellings, facts } = accounts[i] as Account; // as many as there were asked for
    if (isNew && (rebuilding || speaksNext(run, execution, facts[0]))) enterExecution(rows, execution);
    for (const { fact, again } of tellings) applyToRows(rows, fact, { again });
    if (rebuilding) rows.forgeries = [];
    const closed = closeOpen(rows);
    const first = tellings.filter(({ again }) => !again).map(({ fact }) => fact);
    return { rows, events: isHeard ? [] : eventsOf(first, run.projectId, closed) };
  });
  await appendEvents(tx, told);
  await writeRows(tx, loaded);
  await noteTellings(tx, accounts);
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
async function sortOut(tx: Connection, { runId, execution, facts }: Narration, before: number) {
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

async function noteTellings(tx: Connection, accounts: readonly Account[]): Promise<void> {
  const notes = accounts.flatMap(({ run, execution, tellings }) => {
    const bySeq = new Map(tellings.map(({ fact: { seq }, digest, retold }) => [seq, { seq, digest, retold }]));
    return [...bySeq.values()].map((note) => ({ run_id: run.id, execution, ...note }));
  });
  const places = accounts.map(({ run, execution, told, facts }) => {
    const created_at = facts[0]?.at ?? run.createdAt.toISOString(); // should this be the execution's first telling
    return { run_id: run.id, execution, told, created_at };
  });
  await tx.execute(sql`
    with noted as (
      insert into mirror.facts (run_id, execution, seq, digest, retold)
      select run_id, execution, seq, digest, retold
      from jsonb_to_recordset(${JSON.stringify(notes)}::jsonb) as (run_id text, execution text, seq int, digest text, retold boolean)
      on conflict (run_id, execution, seq) do update set digest = excluded.digest, retold = facts.retold or excluded.retold
    )
    insert into mirror.executions (run_id, execution, told, created_at)
    select run_id, execution, told, created_at
    from jsonb_to_recordset(${JSON.stringify(places)}::jsonb) as (run_id text, execution text, told int, created_at timestamptz)
    on conflict (run_id, execution) do update set told = excluded.told`);
}

/**
 * The events of facts told for the first time, and before the run's end those of what this end has closed instead of a fact of the
 * run itself.
 */
export function eventsOf(told: readonly Told[], projectId: string, closed: readonly NewEvent[] = []): NewEvent[] {
  const events = told.flatMap((fact) => {
    const event = eventOf(fact, projectId);
    if (!event) return [];
    const unless = fact.type === "step.finished" ? { unless: closingKey(fact.step_id) } : {};
    return [{ ...event, ...unless, key: eventKey(fact), at: fact.at }];
  });
  const end = told.at(-1)?.type === "run.finished" ? events.length - 1 : events.length;
  return [...events.slice(0, end), ...closed, ...events.slice(end)];
}

/** Nothing of a finished run is open, and nothing superseded of a restored one. @returns the events of what was */
export function closeOpen(rows: RunRows): NewEvent[] {
  const place = { execution_id: rows.run.id, project_id: rows.run.projectId };
  const steps = [...rows.ended.steps, ...closeSteps(rows)].map((step) => {
    const data = { ...place, step_id: step.id, status: step.status };
    return { key: closingKey(step.id), type: "workflow.step.completed", data, at: step.updatedAt.toISOString() };
  });
  const sessions = [...rows.ended.sessions, ...closeSessions(rows)].map((row) => {
    const { id, name, agent, status, sessionFilePath: session_file_path, usage } = row;
    const data = { ...place, step_id: row.workflowStepId, session: { id, name, agent, status, session_file_path, usage } };
    return { key: closingKey(id), type: "workflow.agent.updated", data, at: row.updatedAt.toISOString() };
  });
  return [...sessions, ...steps];
}

function closingKey(id: string): string {
  return `closed:${id}`;
}

const ACCEPTED = new Set([
  "run.created",
  "run.status",
  "comment.created",
  "artifact.created",
  "artifact.attached",
  "checkpoint.created",
  "checkpoint.labelled",
  "run.restored",
  "comment.created",
  "artifact.created",
  "artifact.attached",
]);

/** `applyAccepted` inside a transaction, for a storable fact. */
export async function tellAccepted(tx: Connection, fact: AcceptedFact, { rebuilding = false }: Manner = {}): Promise<void> {
  if (!ACCEPTED.has(fact.type)) throw new Error(`A fact ${fact.type} is told by runs alone.`);
  await lockRuns(tx, [fact.run_id]);
  const run = (await findRun(tx, fact.run_id)) ?? (fact.type === "run.created" ? await insertRun(tx, fact.run) : null);
  if (run === null) throw new NotFoundError("run", fact.run_id);
  if (run === "deleted") return;

  const loaded = await loadRows(tx, [{ run, facts: [fact] }]);
  const before = run.eventSeq;
  await appendEvents(
    tx,
    loaded.map((rows) => ({ rows, events: eventsOf([fact], run.projectId) })),
  );
  if (run.eventSeq === before && !rebuilding) return;
  for (const rows of loaded) applyToRows(rows, fact);
  await appendEvents(
    tx,
    loaded.map((rows) => ({ rows, events: closeOpen(rows) })),
  );
  await writeRows(tx, loaded);
}
