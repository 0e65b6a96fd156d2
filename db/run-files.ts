import { basename, dirname, join } from "node:path";
import { and, asc, eq, gt, inArray } from "drizzle-orm";
import type { Fact } from "../contract/fact.js";
import { isFinished } from "../contract/run.js";
import { checkpointContent, checkpointFile } from "./checkpoint-file.js";
import { pendingIn } from "./checkpoint-pending.js";
import { resultsOf } from "./checkpoint-results.js";
import type { Database } from "./database.js";
import { appendEventFile, lastSeqOf } from "./event-file.js";
import type { RunRow } from "./fact-rows.js";
import { inTurn } from "./in-turn.js";
import { appendRunFile, placeOf, stepFolderName, touchFile, writeWhole } from "./run-folder.js";
import { entryOf, type LogEntry, logLine, metadataOf, type StoryEvent, stepSummary } from "./run-story.js";
import { artifacts, checkpoints, events, logChunks, runs, stepAttempts, steps, toolCalls, workflowVersions } from "./schema.js";

/**
 * Bring a run's folder up to what the database has: the definition and input as it starts, the files of steps that
 * have finished, checkpoints, `logs/execution.log` and `events.jsonl`.
 *
 * What there is to write is told by the events that `events.jsonl` does not have yet, so that a call makes good what
 * a crash or a full disk has kept earlier ones from. One process alone may do this; its calls for a run queue up.
 *
 * @param facts those just written: their log lines go into `execution.log`. May be empty.
 * @throws {Error} when the folder cannot be written. The database is not touched.
 */
export async function writeRunFiles(db: Database, runId: string, facts: readonly Fact[]): Promise<void> {
  await inTurn(`run files ${runId}`, () => bringUpToDate(db, runId, facts));
}

interface Folder {
  db: Database;
  run: RunRow;
  /** Where a file goes, its folder made. */
  placeOf(path: string): Promise<string>;
  write(path: string, content: string): Promise<void>;
}

async function bringUpToDate(db: Database, runId: string, facts: readonly Fact[]): Promise<void> {
  const [run] = await db.orm.select().from(runs).where(eq(runs.id, runId));
  if (!run) return;
  const project = run.header.project_path;
  const places = new Map<string, Promise<string>>(); // of a file in each folder, looked at once a visit
  const placeIn = async (path: string) => {
    const place = places.get(dirname(path)) ?? placeOf(project, runId, path);
    places.set(dirname(path), place);
    return join(dirname(await place), basename(path));
  };
  const folder: Folder = {
    db,
    run,
    placeOf: placeIn,
    write: async (path, content) => writeWhole(await placeIn(path), content),
  };

  const last = await lastSeqOf(project, runId);
  const unwritten = await eventsAfter(db, runId, last);
  const lines = facts.filter((fact) => fact.type === "log").map(({ at, level, text }) => ({ at, level, text }));
  if (unwritten.length === 0 && lines.length === 0) return;

  if (last === 0) await writeStart(folder);
  const idsOf = (type: string, field: string) =>
    unwritten.filter((event) => event.type === type).map(({ data }) => String(data[field]));
  const finished = idsOf("workflow.step.completed", "step_id");
  if (finished.length > 0) await writeSteps(folder, finished);
  const created = idsOf("workflow.checkpoint.created", "checkpoint_id");
  if (created.length > 0) await writeCheckpoints(folder, created);

  const nameOf = await stepNames(db, runId);
  if (isFinished(run.status)) {
    await folder.write("metadata.json", pretty(metadataOf(run)));
    await folder.write("logs/execution.log", await wholeLog(db, runId, nameOf));
  } else {
    const entries = [...unwritten.map((event) => entryOf(event, nameOf)), ...lines];
    await appendRunFile(project, runId, "logs/execution.log", inOrder(entries));
  }
  await appendEventFile(db, project, runId);
}

async function eventsAfter(db: Database, runId: string, seq: number): Promise<StoryEvent[]> {
  const rows = await db.orm
    .select()
    .from(events)
    .where(and(eq(events.runId, runId), gt(events.seq, seq)))
    .orderBy(asc(events.seq));
  return rows.map(({ type, at, data }) => ({ type, at: at.toISOString(), data }));
}

async function writeStart({ db, run, write }: Folder): Promise<void> {
  const { header } = run;
  const version = and(eq(workflowVersions.workflowId, run.workflowId), eq(workflowVersions.revision, run.workflowRevision));
  const [found] = await db.orm.select({ source: workflowVersions.source }).from(workflowVersions).where(version);
  const { workflow_id, workflow_name, workflow_revision, phases, timeout_ms, program } = header;
  const definition = { workflow_id, name: workflow_name, revision: workflow_revision, phases, timeout_ms, file: program.file };
  await write("definition.json", pretty({ ...definition, source: found?.source ?? null }));
  await write("args.json", pretty(run.input));
  await write("metadata.json", pretty(metadataOf(run)));
}

async function writeSteps({ db, write, placeOf }: Folder, ids: string[]): Promise<void> {
  const finished = await db.orm.select().from(steps).where(inArray(steps.id, ids));
  const attempts = await db.orm
    .select()
    .from(stepAttempts)
    .where(inArray(stepAttempts.stepId, ids))
    .orderBy(asc(stepAttempts.number));
  const calls = await db.orm
    .select({ stepId: toolCalls.stepId, tool: toolCalls.tool, isError: toolCalls.isError })
    .from(toolCalls)
    .where(inArray(toolCalls.stepId, ids));
  const made = await db.orm.select().from(artifacts).where(inArray(artifacts.stepId, ids)).orderBy(asc(artifacts.createdAt));
  for (const step of finished) {
    const mine = <Row extends { stepId: string | null }>(rows: Row[]) => rows.filter(({ stepId }) => stepId === step.id);
    const logs = `logs/${stepFolderName({ number: step.stepNumber, key: step.stepKey })}`;
    const story = { step, attempts: mine(attempts), toolCalls: mine(calls), artifacts: mine(made) };
    await write(`${logs}/input.json`, pretty(step.input));
    await write(`${logs}/output.json`, pretty(step.output));
    await write(`${logs}/summary.md`, stepSummary(story));
    // Output is appended there as it comes; a step without any has an empty file.
    await touchFile(await placeOf(`${logs}/events.jsonl`));
  }
}

async function writeCheckpoints({ db, run, write }: Folder, ids: string[]): Promise<void> {
  const created = await db.orm
    .select()
    .from(checkpoints)
    .where(inArray(checkpoints.id, ids))
    .orderBy(asc(checkpoints.stepNumber));
  const order = await db.orm
    .select({ id: checkpoints.id, added: checkpoints.completedSteps, stepId: checkpoints.stepId, phase: steps.phase })
    .from(checkpoints)
    .leftJoin(steps, eq(steps.id, checkpoints.stepId))
    .where(eq(checkpoints.runId, run.id))
    .orderBy(asc(checkpoints.createdAt), asc(checkpoints.stepNumber));
  const all = await resultsOf(db, run.id);
  const pendingAt = await pendingIn(db, run.id);
  for (const row of created) {
    const file = checkpointFile(row);
    const before = order.slice(0, order.findIndex(({ id }) => id === row.id) + 1);
    const stepIds = new Set(before.map(({ stepId }) => stepId));
    const content = checkpointContent({
      row,
      phase: before.at(-1)?.phase ?? run.currentPhase,
      completed: before.flatMap(({ added }) => added),
      pending: pendingAt(row.createdAt),
      results: all.filter(({ id }) => stepIds.has(id)),
    });
    if (file !== null) await write(file, pretty(content));
  }
}

async function stepNames(db: Database, runId: string): Promise<(stepId: string) => string> {
  const columns = { id: steps.id, number: steps.stepNumber, name: steps.name };
  const rows = await db.orm.select(columns).from(steps).where(eq(steps.runId, runId));
  const names = new Map(rows.map(({ id, number, name }) => [id, `Step ${number} (${name})`]));
  return (stepId) => names.get(stepId) ?? `Step ${stepId}`;
}

/** The whole `execution.log`: every event and every logged line, by time. */
async function wholeLog(db: Database, runId: string, nameOf: (stepId: string) => string): Promise<string> {
  const entries: LogEntry[] = (await eventsAfter(db, runId, 0)).map((event) => entryOf(event, nameOf));
  const lines = await db.orm
    .select()
    .from(logChunks)
    .where(and(eq(logChunks.runId, runId), eq(logChunks.stream, "log")))
    .orderBy(asc(logChunks.id));
  for (const { at, level, text } of lines) entries.push({ at: at.toISOString(), level, text });
  return inOrder(entries);
}

function inOrder(entries: readonly LogEntry[]): string {
  return entries
    .toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    .map(logLine)
    .join("");
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
