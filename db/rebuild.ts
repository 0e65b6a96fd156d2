import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { asc, eq, sql } from "drizzle-orm";
import { z } from "zod";
import type { AcceptedFact } from "../contract/fact.js";
import { type LogChunk, LogLevel } from "../contract/log.js";
import type { Connection, Database } from "./database.js";
import type { EventLine } from "./event-file.js";
import { insertLogChunks } from "./log-chunks.js";
import { type ExecutionFacts, type Settlement, tellSettlement } from "./projection-correct.js";
import { findRun, insertRun, lockRuns } from "./projection-load.js";
import { tellAccepted, tellFacts } from "./projection-tell.js";
import { appendRunFile, parseLines, readRunFile, runFolder } from "./run-folder.js";
import { logChunks, runs } from "./schema.js";
import { storable } from "./storable.js";

const LATE = "late.jsonl";

/** Keep what the API told of a closed run: no history has it. */
export async function appendLateFact(projectPath: string, fact: AcceptedFact): Promise<void> {
  await appendRunFile(projectPath, fact.run_id, LATE, `${JSON.stringify(fact)}\n`);
}

/** What `appendLateFact` has kept, in its order. */
export async function readLateFacts(projectPath: string, runId: string): Promise<AcceptedFact[]> {
  const text = await readRunFile(projectPath, runId, LATE);
  return parseLines(text ?? "").filter((line) => isLateFact(line, runId));
}

function isLateFact(line: unknown, runId: string): line is AcceptedFact {
  return typeof line === "object" && line !== null && "type" in line && "at" in line && "run_id" in line && line.run_id === runId;
}

const OutputLine = z.object({
  run_id: z.string(),
  step_id: z.string().nullable(),
  attempt: z.int(),
  stream: z.enum(["log", "stdout", "stderr"]),
  level: LogLevel,
  offset: z.int(),
  text: z.string(),
  at: z.string(),
});

/**
 * The output of a run's steps, as the `events.jsonl` of their folders have it.
 *
 * @param steps numbers of the steps to look at; all, when it is left out.
 */
export async function readStepOutput(projectPath: string, runId: string, steps?: ReadonlySet<number>): Promise<LogChunk[]> {
  const folders = await readdir(join(runFolder(projectPath, runId), "logs")).catch((): string[] => []);
  const chunks: LogChunk[] = [];
  for (const folder of folders.sort()) {
    if (steps && !steps.has(Number.parseInt(folder, 10))) continue;
    const text = await readRunFile(projectPath, runId, `logs/${folder}/events.jsonl`).catch(() => null);
    for (const line of parseLines(text ?? "")) {
      const chunk = OutputLine.safeParse(line);
      if (chunk.success && chunk.data.run_id === runId) chunks.push(chunk.data);
    }
  }
  return chunks;
}

export interface Recorded {
  runId: string;
  /** The replayed facts of every execution, oldest first. */
  executions: readonly ExecutionFacts[];
  /** Lines of the run folder's `events.jsonl`; null when that is missing. */
  events: readonly EventLine[] | null;
  late: readonly AcceptedFact[];
  /** What `readStepOutput` has found. */
  output?: readonly LogChunk[] | undefined;
  /** Set when the last execution was closed without a final fact. */
  settled?: (Settlement & { execution: string }) | undefined;
}

export interface Rebuilt {
  /** False when the run is deleted, its project is gone, or its first fact is missing. */
  rebuilt: boolean;
  /** True when events got new numbers, because the file of them is missing or has a gap. */
  renumbered: boolean;
}

/**
 * Make a run's rows again after schema `mirror` was dropped and recreated. Events keep their numbers, keys and
 * times as the run folder has them; what the folder does not have is numbered after them.
 */
export async function rebuildRun(db: Database, recorded: Recorded): Promise<Rebuilt> {
  const { runId, executions, settled } = recorded;
  return db.orm.transaction(async (tx) => {
    await lockRuns(tx, [runId]);
    const begin = executions.flatMap(({ facts }) => facts).find((fact) => fact.type === "run.created");
    const run = (await findRun(tx, runId)) ?? (begin ? await insertRun(tx, storable(begin).run) : null);
    if (run === null || run === "deleted") return { rebuilt: false, renumbered: false };

    const kept = withoutGap(recorded.events ?? []);
    if (run.eventSeq === 0) await putEvents(tx, runId, kept);
    for (const { execution, facts } of executions) {
      const sorted = facts.map(storable).sort((a, b) => a.seq - b.seq);
      // With its end it has told all. What was told again under other numbers has its event under the first.
      const isHeard = kept.some(({ key }) => key === `finished:${execution}`);
      await tellFacts(tx, [{ runId, execution, facts: sorted }], { rebuilding: true, isHeard });
    }
    if (settled) await tellSettlement(tx, runId, settled.execution, settled);
    for (const fact of recorded.late) await tellAccepted(tx, storable(fact), { rebuilding: true });
    if (recorded.output) await putOutput(tx, runId, recorded.output);
    return { rebuilt: true, renumbered: recorded.events === null || kept.length < recorded.events.length };
  });
}

function withoutGap(lines: readonly EventLine[]): EventLine[] {
  return lines.filter((line, i) => line.seq === i + 1);
}

async function putEvents(tx: Connection, runId: string, lines: readonly EventLine[]): Promise<void> {
  if (lines.length === 0) return;
  await tx.execute(sql`
    insert into mirror.events (run_id, seq, key, type, data, at)
    select ${runId}, seq, key, type, data, at
    from jsonb_to_recordset(${JSON.stringify(storable(lines))}::jsonb) as (seq int, key text, type text, data jsonb, at timestamptz)
    order by seq
    on conflict do nothing`);
  await tx.update(runs).set({ eventSeq: lines.length }).where(eq(runs.id, runId));
}

/** Put output among the lines that facts have told, by time; nothing when there is output already. */
async function putOutput(tx: Connection, runId: string, output: readonly LogChunk[]): Promise<void> {
  const told = await tx.select().from(logChunks).where(eq(logChunks.runId, runId)).orderBy(asc(logChunks.id));
  if (output.length === 0 || told.some(({ stream }) => stream !== "log")) return;
  const lines = told.map(({ id, runId: run_id, stepId: step_id, at, ...line }) => ({
    ...line,
    run_id,
    step_id,
    at: at.toISOString(),
  }));
  const all = [...lines, ...output].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  await tx.delete(logChunks).where(eq(logChunks.runId, runId));
  await insertLogChunks(tx, all, { quietly: true });
}
