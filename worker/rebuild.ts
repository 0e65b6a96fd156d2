import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "@temporalio/client";
import { TASK_QUEUE } from "../config.js";
import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { readEventFile } from "../db/event-file.js";
import { markSettled } from "../db/executions.js";
import { recreateMirror } from "../db/migrate.js";
import { allProjects } from "../db/projects.js";
import { readLateFacts, readStepOutput, rebuildRun } from "../db/rebuild.js";
import { parseLines, readRunFile, runFolder } from "../db/run-folder.js";
import { type History, ReplayError, type Replayer } from "./replayer.js";
import { isOfReset } from "./restore-deps.js";
import { endingOf, isLastWord } from "./settle.js";

export interface RebuildDeps {
  db: Database;
  databaseUrl: string;
  client: Client;
  replayer: Replayer;
  /** Told one line a run, and what could not be had back. */
  say: (line: string) => void;
}

export interface RebuildReport {
  runs: number;
  /** Runs whose events got new numbers, because the folder's record of them was missing. */
  renumbered: string[];
  /** Runs of which neither Temporal nor a folder knows enough. */
  lost: string[];
}

interface KnownRun {
  runId: string;
  project: string | null;
  /** Those that Temporal knows. */
  executions: string[];
}

/**
 * Drop schema `mirror` and make it again: from Temporal's histories, by replay, and for runs that Temporal
 * has forgotten from the archives in their folders. No worker may run meanwhile.
 */
export async function rebuild(deps: RebuildDeps): Promise<RebuildReport> {
  await recreateMirror(deps.databaseUrl);
  const report: RebuildReport = { runs: 0, renumbered: [], lost: [] };
  for (const known of await knownRuns(deps)) {
    const { rebuilt, renumbered } = await rebuildOne(deps, known);
    if (rebuilt) report.runs++;
    else report.lost.push(known.runId);
    if (renumbered) report.renumbered.push(known.runId);
    deps.say(
      `${known.runId}: ${rebuilt ? `rebuilt${renumbered ? ", events numbered anew" : ""}` : "nothing to rebuild it from, or deleted"}`,
    );
  }
  return report;
}

async function knownRuns({ db, client }: RebuildDeps): Promise<KnownRun[]> {
  const known = new Map<string, KnownRun>();
  for (const { path } of await allProjects(db)) {
    const names = await readdir(join(runFolder(path, "x"), "..")).catch((): string[] => []);
    for (const runId of names.sort()) known.set(runId, { runId, project: path, executions: [] });
  }
  for await (const { workflowId, runId } of client.workflow.list({ query: `TaskQueue = "${TASK_QUEUE}"` })) {
    const run = known.get(workflowId) ?? { runId: workflowId, project: null, executions: [] };
    run.executions.push(runId);
    known.set(workflowId, run);
  }
  return [...known.values()];
}

async function rebuildOne(
  deps: RebuildDeps,
  { runId, project, executions: inTemporal }: KnownRun,
): Promise<{ rebuilt: boolean; renumbered: boolean }> {
  const archived = project ? await fromArchive(project, runId) : null;
  const kept = archived?.executions.map(({ execution }) => execution) ?? [];
  const told = inTemporal.every((one) => kept.includes(one)) && archived ? archived : await fromTemporal(deps, runId, archived);
  if (told.executions.length === 0) return { rebuilt: false, renumbered: false };

  const created = told.executions[0]?.facts[0];
  const folder = project ?? (created?.type === "run.created" ? created.run.project_path : null);
  const { executions, settled } = told;
  const result = await rebuildRun(deps.db, {
    runId,
    executions,
    settled,
    events: folder ? await readEventFile(folder, runId) : null,
    late: folder ? await readLateFacts(folder, runId) : [],
    output: folder ? await readStepOutput(folder, runId) : [],
  });
  if (told.archived) for (const { execution } of told.executions) await markSettled(deps.db, runId, execution);
  return result;
}

type Told = Pick<Parameters<typeof rebuildRun>[1], "executions" | "settled"> & { archived: boolean };

/** What a settled run left in its folder; null when it was never settled. */
async function fromArchive(project: string, runId: string): Promise<Told | null> {
  const text = await readRunFile(project, runId, "facts.jsonl").catch(() => null);
  if (!text) return null;
  const facts = parseLines(text) as Fact[]; // written by `settle`
  const names = [...new Set(facts.map(({ execution }) => execution))];
  const ending = await readRunFile(project, runId, "ending.json").catch(() => null);
  return {
    archived: true,
    executions: names.map((execution) => ({ execution, facts: facts.filter((fact) => fact.execution === execution) })),
    ...(ending ? { settled: JSON.parse(ending) } : {}),
  };
}

/** @param archived what is not asked of Temporal again: the run was restored since, and Temporal may have forgotten it */
async function fromTemporal({ client, replayer, say }: RebuildDeps, runId: string, archived: Told | null): Promise<Told> {
  const runs: { runId: string; status: string }[] = [];
  for await (const { runId: execution, status } of client.workflow.list({ query: `WorkflowId = "${runId}"` })) {
    runs.unshift({ runId: execution, status: status.name });
  }
  const executions = [...(archived?.executions ?? [])];
  let settled: Told["settled"] = archived?.settled;
  for (const { runId: execution, status } of runs) {
    if (executions.some((one) => one.execution === execution)) continue;
    const history: History = await client.workflow.getHandle(runId, execution).fetchHistory();
    if (isOfReset(history, execution)) continue; // a restore has taken its place
    try {
      const facts = await replayer.facts(runId, history);
      executions.push({ execution, facts });
      const ended = status !== "RUNNING" && status !== "PAUSED";
      settled = ended && !facts.some(isLastWord) ? { execution, ...endingOf(history, status) } : undefined;
    } catch (error) {
      if (!(error instanceof ReplayError)) throw error;
      say(`${runId}: ${error.message}`);
    }
  }
  return { executions, settled, archived: false };
}
