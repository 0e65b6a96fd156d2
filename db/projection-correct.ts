import { and, eq, inArray, sql } from "drizzle-orm";
import type { Fact } from "../contract/fact.js";
import { isFinished, type RunError, type RunStatus } from "../contract/run.js";
import type { Connection, Database } from "./database.js";
import { applyToRows } from "./fact-apply.js";
import { type RunRow, type RunRows, rowsOf, type Told } from "./fact-rows.js";
import { enterExecution, newRun, SETTLED } from "./fact-run.js";
import { existingUsers, findRun, loadAllRows, loadRows, lockRuns, namedIn } from "./projection-load.js";
import { closeOpen, eventsOf, tellFacts } from "./projection-tell.js";
import { appendEvents, writeRows } from "./projection-write.js";
import {
  agentSessions,
  approvalAnswers,
  artifacts,
  checkpoints,
  comments,
  executions,
  facts as factTable,
  stepAttempts,
  steps,
  toolCalls,
} from "./schema.js";
import { digestOf, storable } from "./storable.js";

export interface ExecutionFacts {
  execution: string;
  facts: readonly Fact[];
}

/**
 * Hold the rows of a closed run against its histories' replay, and put right what facts that never became
 * true have left. One event `workflow.execution.corrected` tells of it when rows differed.
 *
 * @param byExecution the replayed facts of every execution of the run, oldest first. With some of them left out, rows
 *   that no other telling has touched are not looked at.
 * @returns the numbers of the facts that were told otherwise; empty when all was right, or the run is deleted.
 */
export async function correctRun(db: Database, runId: string, byExecution: readonly ExecutionFacts[]): Promise<number[]> {
  const replayed = byExecution.map(({ execution, facts }) => ({
    execution,
    facts: facts.map(storable).sort((a, b) => a.seq - b.seq),
  }));
  return db.orm.transaction((tx) => tellCorrection(tx, runId, replayed));
}

/** `correctRun` inside a transaction, for facts that are storable and in order of `seq`. */
export async function tellCorrection(tx: Connection, runId: string, replayed: readonly ExecutionFacts[]): Promise<number[]> {
  for (const { execution, facts } of replayed) await tellFacts(tx, [{ runId, execution, facts }]);
  const run = await findRun(tx, runId);
  if (run === null || run === "deleted") return [];

  const differing: number[] = [];
  for (const { execution, facts } of replayed) differing.push(...(await differingSeqs(tx, runId, execution, facts)));
  if (differing.length > 0) await correctRows(tx, run, replayed, differing);
  return differing;
}

/** Facts that were told otherwise at some time, or are not in the replay at all. The digests then are the replay's. */
async function differingSeqs(tx: Connection, runId: string, execution: string, facts: readonly Fact[]): Promise<number[]> {
  const last = facts.at(-1)?.seq ?? 0;
  const mine = and(eq(factTable.runId, runId), eq(factTable.execution, execution));
  const { rows } = await tx.execute<{ seq: number }>(
    sql`select seq from ${factTable} where ${mine} and (retold or seq > ${last}) order by seq`,
  );
  if (rows.length === 0) return [];
  await tx.delete(factTable).where(and(mine, sql`seq > ${last}`));
  await tx.update(factTable).set({ retold: false }).where(mine);
  await tx
    .update(executions)
    .set({ told: last })
    .where(and(eq(executions.runId, runId), eq(executions.execution, execution)));
  return rows.map(({ seq }) => seq);
}

async function correctRows(tx: Connection, run: RunRow, replayed: readonly ExecutionFacts[], seqs: number[]): Promise<void> {
  const there = await loadAllRows(tx, run);
  const right = (await isWhole(tx, run.id, replayed)) ? await foldRows(tx, there, replayed) : null;
  if (right === null) return announce(tx, there, seqs);

  const stale = await deleteStale(tx, there, right);
  markDifferent(right, there);
  if (right.changed.size === 0 && !stale) return;

  right.run.eventSeq = run.eventSeq;
  await announce(tx, right, seqs);
}

/** Write the changed rows, and the one event that says so. */
async function announce(tx: Connection, rows: RunRows, seqs: number[]): Promise<void> {
  const { run } = rows;
  const data = { execution_id: run.id, project_id: run.projectId, seqs };
  const event = { key: `corrected:${run.eventSeq + 1}`, type: "workflow.execution.corrected", data };
  await appendEvents(tx, [{ rows, events: [{ ...event, at: run.updatedAt.toISOString() }] }]);
  await writeRows(tx, [rows]);
}

/** Whether the replay is of every execution that has told something. */
async function isWhole(tx: Connection, runId: string, replayed: readonly ExecutionFacts[]): Promise<boolean> {
  const told = await tx.select({ execution: executions.execution }).from(executions).where(eq(executions.runId, runId));
  return told.every(({ execution }) => replayed.some((one) => one.execution === execution));
}

/** The rows as these facts alone make them, together with what the API has told of itself. */
async function foldRows(tx: Connection, there: RunRows, replayed: readonly ExecutionFacts[]): Promise<RunRows | null> {
  const all = replayed.flatMap(({ facts }) => facts);
  const begin = all.find((fact) => fact.type === "run.created");
  if (!begin) return null;

  const { run } = there;
  const rows = rowsOf({ ...newRun(begin.run), userId: run.userId });
  rows.stored = {};
  rows.users = await existingUsers(tx, namedIn(all).users);
  const isOwn = (id: string) => id.startsWith(`${run.id}-`);
  for (const row of there.comments.values()) if (!isOwn(row.id)) rows.comments.set(row.id, row);
  for (const row of there.artifacts.values()) if (!isOwn(row.id)) rows.artifacts.set(row.id, row);
  for (const row of there.checkpoints.values()) if (!isOwn(row.id)) rows.checkpoints.set(row.id, row);

  for (const { execution, facts } of replayed) {
    if (facts.length > 0) enterExecution(rows, execution);
    for (const fact of facts) applyToRows(rows, fact);
  }
  if (!isFinished(rows.run.status) && run.statusSeq === SETTLED && run.temporalRunId !== null) {
    applyToRows(rows, settlement(run.id, run.temporalRunId, { ...run, at: (run.completedAt ?? run.updatedAt).toISOString() }));
  }
  closeOpen(rows);
  // How a checkpoint is called, and what an artifact is attached to, is for people to say.
  for (const row of rows.checkpoints.values()) row.label = (there.checkpoints.get(row.id) ?? row).label;
  for (const row of rows.artifacts.values()) row.workflowCommentId = there.artifacts.get(row.id)?.workflowCommentId ?? null;
  rows.logChunks = [];
  rows.forgeries = [];
  return rows;
}

/** Columns that say when and by which telling a row was set, not what it is. */
const BOOKKEEPING = new Set(["updatedAt", "statusSeq", "execution", "eventSeq", "pendingRequest", "pendingAt"]);

function markDifferent(right: RunRows, there: RunRows): void {
  right.changed.clear();
  const pairs: [Map<string, object>, Map<string, object>][] = [
    [right.steps, there.steps],
    [right.attempts, there.attempts],
    [right.sessions, there.sessions],
    [right.toolCalls, there.toolCalls],
    [right.answers, there.answers],
    [right.comments, there.comments],
    [right.artifacts, there.artifacts],
    [right.checkpoints, there.checkpoints],
    [new Map([["", right.run]]), new Map([["", there.run]])],
  ];
  for (const [rights, theres] of pairs) {
    for (const [id, row] of rights) {
      const before = theres.get(id);
      if (!before || contentOf(row) !== contentOf(before)) right.changed.add(row);
    }
  }
}

function contentOf(row: object): string {
  const content = Object.entries(row).filter(([column]) => !BOOKKEEPING.has(column));
  return digestOf(storable(JSON.parse(JSON.stringify(Object.fromEntries(content)))));
}

/** Delete the rows that no fact has made. Returns whether there were any. */
async function deleteStale(tx: Connection, there: RunRows, right: RunRows): Promise<boolean> {
  const stale = (before: Map<string, unknown>, after: Map<string, unknown>) => [...before.keys()].filter((id) => !after.has(id));
  const attempts = stale(there.attempts, right.attempts);
  for (const key of attempts) {
    const row = there.attempts.get(key);
    if (row) await tx.delete(stepAttempts).where(and(eq(stepAttempts.stepId, row.stepId), eq(stepAttempts.number, row.number)));
  }
  const tables = [
    [toolCalls, stale(there.toolCalls, right.toolCalls)],
    [approvalAnswers, stale(there.answers, right.answers)],
    [artifacts, stale(there.artifacts, right.artifacts)],
    [comments, stale(there.comments, right.comments)],
    [agentSessions, stale(there.sessions, right.sessions)],
    [checkpoints, stale(there.checkpoints, right.checkpoints)],
    [steps, stale(there.steps, right.steps)],
  ] as const;
  for (const [table, ids] of tables) {
    if (ids.length > 0) await tx.delete(table).where(inArray(table.id, ids));
  }
  return attempts.length > 0 || tables.some(([, ids]) => ids.length > 0);
}

export interface Settlement {
  status: RunStatus;
  error: RunError | null;
  /** When Temporal closed the execution. */
  at: string;
}

/**
 * End a run whose final fact never came: its execution was terminated, timed out or deleted. A final fact
 * that is told after all wins.
 *
 * @returns false when nothing was changed: the run is not there, has ended, or is in another execution.
 */
export async function settleRun(db: Database, runId: string, execution: string, settled: Settlement): Promise<boolean> {
  return db.orm.transaction((tx) => tellSettlement(tx, runId, execution, storable(settled)));
}

/** `settleRun` inside a transaction. */
export async function tellSettlement(tx: Connection, runId: string, execution: string, settled: Settlement): Promise<boolean> {
  await lockRuns(tx, [runId]);
  const run = await findRun(tx, runId);
  if (run === null || run === "deleted") return false;
  if (run.temporalRunId !== null && run.temporalRunId !== execution) return false;
  if (isFinished(run.status)) return false;

  const fact = settlement(runId, execution, settled);
  for (const rows of await loadRows(tx, [{ run, facts: [fact] }])) {
    if (run.temporalRunId === null) enterExecution(rows, execution);
    applyToRows(rows, fact);
    const closed = closeOpen(rows);
    await appendEvents(tx, [{ rows, events: eventsOf([fact], run.projectId, closed) }]);
    await writeRows(tx, [rows]);
  }
  return true;
}

function settlement(runId: string, execution: string, { status, error, at }: Settlement): Told {
  return { type: "run.finished", run_id: runId, execution, seq: SETTLED, status, output: null, error, at };
}
