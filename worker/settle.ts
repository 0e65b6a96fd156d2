import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import proto, { type temporal } from "@temporalio/proto";
import type { Logger } from "pino";
import { sweepRun } from "../activities/sweep.js";
import type { Fact } from "../contract/fact.js";
import type { RunError, RunStatus } from "../contract/run.js";
import type { Database } from "../db/database.js";
import { executionsOf, markSettled, projectPathOf } from "../db/executions.js";
import { correctRun, type ExecutionFacts, settleRun } from "../db/projection-correct.js";
import { writeRunFiles } from "../db/run-files.js";
import { parseLines, readRunFile, writeRunFile } from "../db/run-folder.js";
import { type History, ReplayError, type Replayer } from "./replayer.js";

export interface SettleDeps {
  db: Database;
  client: Client;
  replayer: Replayer;
  /** Forget the outcomes kept for this execution: Temporal has them. */
  forget: (runId: string, execution: string) => Promise<void>;
  log: Logger;
}

/**
 * After a run has finished: replay the histories of its executions once more, correct what was told and never became true, and
 * archive histories and facts in the run's folder. Every closed run is thereby a replay test.
 *
 * Does nothing while one of its executions is open.
 *
 * @param unsettled the executions for which this has not been done.
 */
export async function settle(deps: SettleDeps, runId: string, unsettled: readonly string[]): Promise<void> {
  const { db, client, log } = deps;
  const project = await projectPathOf(db, runId);
  const all: ExecutionFacts[] = [];
  let ending: (Ending & { execution: string }) | null = null;
  const executions = await executionsOf(db, runId);
  for (const [i, execution] of executions.entries()) {
    const handle = client.workflow.getHandle(runId, execution);
    const described = await handle.describe().catch(whenForgotten);
    const name = i === executions.length - 1 ? "history.json" : `history.${i + 1}.json`;
    if (described === null) {
      // It was settled when the run had ended once before.
      if (project) await keepOldHistory(project, runId, name);
      all.push({ execution, facts: project ? await archivedFacts(project, runId, execution) : [] });
      ending = null;
      continue;
    }
    const { status } = described;
    if (status.name === "RUNNING" || status.name === "PAUSED") return;

    const history = await handle.fetchHistory();
    const facts = isGivenUp(history) ? null : await replayed(deps, runId, history);
    if (facts) all.push({ execution, facts });
    ending = facts?.some(isLastWord) ? null : { execution, ...endingOf(history, status.name) };
    const isNew = unsettled.includes(execution) || (project && (await readRunFile(project, runId, name)) === null);
    if (project && isNew) await writeRunFile(project, runId, name, historyText(history));
  }

  if (ending) await sweepRun(runId); // no close gate has seen to it that nothing is left running
  if (project) await archive(project, runId, all, ending);
  if (ending) await settleRun(db, runId, ending.execution, ending);
  const differing = await correctRun(db, runId, all);
  if (differing.length > 0) log.warn({ run: runId, seqs: differing }, "the run was corrected by its replay");
  if (project) await writeRunFiles(db, runId, []);
  for (const execution of unsettled) {
    await deps.forget(runId, execution);
    await markSettled(db, runId, execution);
  }
}

function whenForgotten(error: unknown): null {
  if (error instanceof WorkflowNotFoundError) return null;
  throw error;
}

async function archivedFacts(project: string, runId: string, execution: string): Promise<Fact[]> {
  const facts = parseLines((await readRunFile(project, runId, "facts.jsonl")) ?? "") as Fact[]; // written by `archive`
  return facts.filter((fact) => fact.execution === execution);
}

/** What was the history of the run's end is that of one execution among several. */
async function keepOldHistory(project: string, runId: string, name: string): Promise<void> {
  const [there, old] = await Promise.all([readRunFile(project, runId, name), readRunFile(project, runId, "history.json")]);
  if (there === null && old !== null) await writeRunFile(project, runId, name, old);
}

export interface Ending {
  status: RunStatus;
  error: RunError | null;
  at: string;
}

/** Whether an execution that tells this has come to its end in order. */
export function isLastWord({ type }: Fact): boolean {
  return type === "run.finished" || type === "run.continued";
}

/**
 * What `rebuild` needs when Temporal has forgotten the run. Facts of all its executions are in one file, in order; histories are
 * `history.json` and, of those that the run did not end in, `history.1.json` and on.
 */
async function archive(project: string, runId: string, all: readonly ExecutionFacts[], ending: object | null): Promise<void> {
  const lines = all.flatMap(({ facts }) => facts.map((fact) => `${JSON.stringify(fact)}\n`));
  await writeRunFile(project, runId, "facts.jsonl", lines.join(""));
  if (ending) await writeRunFile(project, runId, "ending.json", JSON.stringify(ending));
}

/** As JSON that `History.fromObject` of Temporal's own types reads back. */
function historyText(history: History): string {
  const { History } = proto.temporal.api.history.v1;
  return JSON.stringify(History.toObject(History.fromObject(history), { longs: String, enums: String, bytes: String }));
}

async function replayed({ replayer, log }: SettleDeps, runId: string, history: History): Promise<Fact[] | null> {
  try {
    return await replayer.facts(runId, history);
  } catch (error) {
    if (!(error instanceof ReplayError)) throw error;
    log.error({ run: runId, error: error.message }, "the closed run does not replay: non-determinism, or code that does not end");
    return null;
  }
}

/** What Temporal says of an execution that ended without a word of its own. */
export function endingOf(history: temporal.api.history.v1.IHistory, status: string): Ending {
  const last = history.events?.at(-1);
  const at = last?.eventTime
    ? new Date(Number(last.eventTime.seconds) * 1000 + Math.floor((last.eventTime.nanos ?? 0) / 1e6))
    : new Date();
  const terminated = last?.workflowExecutionTerminatedEventAttributes;
  const base = { at: at.toISOString() };
  switch (status) {
    case "TERMINATED":
      if (terminated?.identity === ENDLESS)
        return { ...base, status: "failed", error: { type: "code_failed", message: terminated.reason ?? "" } };
      return {
        ...base,
        status: "cancelled",
        error: { type: "terminated", message: `Terminated in Temporal${terminated?.reason ? `: ${terminated.reason}` : "."}` },
      };
    case "TIMED_OUT":
      return { ...base, status: "timed_out", error: { type: "timed_out", message: "Temporal's own time limit ended the run." } };
    case "CANCELLED":
    case "CANCELED":
      return { ...base, status: "cancelled", error: null };
    case "COMPLETED":
      return { ...base, status: "completed", error: null };
    default: {
      const message = last?.workflowExecutionFailedEventAttributes?.failure?.message ?? "The run failed in Temporal.";
      return { ...base, status: "failed", error: { type: "failed", message } };
    }
  }
}

/** Its code does not come to an end: a replay would not either. */
function isGivenUp({ events }: History): boolean {
  return events?.at(-1)?.workflowExecutionTerminatedEventAttributes?.identity === ENDLESS;
}

/** Who terminates a run whose own code cannot be run. */
export const ENDLESS = "longhaul: code that cannot be run";
