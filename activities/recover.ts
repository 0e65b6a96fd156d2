import { setTimeout as sleep } from "node:timers/promises";
import { ActivityNotFoundError, AsyncCompletionClient, type ConnectionLike } from "@temporalio/client";
import type { ActivitySerializationContext, DataConverter } from "@temporalio/common";
import type { Abandoned, AbandonedExecution, AbandonedProcess } from "./abandoned.js";
import { toApplicationFailure, workerLost } from "./failure.js";
import type { Journal } from "./journal.js";
import { type JournalKey, nameOf, type RecordedResult } from "./journal-record.js";
import { type Execution, pendingOf } from "./lost-activity.js";
import { operationMark } from "./perform.js";
import { ownerMark } from "./process-owner.js";
import { sweep } from "./sweep.js";

export interface RecoverOptions {
  journal: Journal;
  connection: ConnectionLike;
  namespace: string;
  /** The worker's own, with the codec that signs payloads. */
  dataConverter: DataConverter;
  /** What Temporal's page shows as the one who settled it. */
  identity: string;
  /** Open runs besides those in the journal, whose next workflow task should not wait for a worker that is gone. */
  openRuns?: readonly Execution[] | Promise<readonly Execution[]> | undefined;
  /** Brings into the database what a dead worker's steps have written and only the run's folder has. */
  keepOutput?: ((runId: string, steps: readonly string[]) => Promise<void>) | undefined;
  log?: ((message: string, data: Record<string, unknown>) => void) | undefined;
  /** Between SIGTERM and SIGKILL for what dead workers left running. @default 5000 */
  graceMs?: number | undefined;
}

export interface Recovered {
  completed: number;
  failed: number;
  /** Settled by others before. */
  known: number;
}

const AT_ONCE = 20;
/** What is to be done again has begun after that, and is not kept waiting by a replay. */
const BEGUN_MS = 100;
/** After that a run that is brought into memory has gone on by itself. */
const MEMORY_MS = 10_000;

/**
 * Settle what dead workers of this host have left, as a worker starts and before anybody waits for a heartbeat. Each operation
 * that Temporal waits for and that has no word is settled with its own task token: an outcome in the journal is reported, what
 * has none is ended and fails as `worker_lost`, which Temporal tries again; so does whatever else of an open run was under way
 * in a process that is gone. Before that the run's sticky queue is reset, so that its next workflow task comes here at once.
 *
 * Nothing is thrown for one run or operation: what cannot be settled now is settled by Temporal's timeouts.
 */
export async function recoverJournal(options: RecoverOptions): Promise<Recovered> {
  const { journal, connection, namespace, dataConverter, identity, openRuns = [] } = options;
  const processes = await journal.abandoned();
  const client = new AsyncCompletionClient({ connection, namespace, dataConverter, identity });
  const recovered: Recovered = { completed: 0, failed: 0, known: 0 };
  await Promise.all(processes.map((process) => settleProcess(client, process, options, recovered)));

  const left = processes.flatMap(({ executions }) => executions.filter(({ operations }) => operations.length > 0));
  const executions = [...(await openRuns), ...left.map(executionOf)];
  const distinct = new Map(executions.map((execution) => [`${execution.workflowId}/${execution.runId}`, execution]));
  await inTurns([...distinct.values()], async (execution) => {
    recovered.failed += await giveBack(client, execution, options);
  });
  return recovered;
}

async function settleProcess(
  client: AsyncCompletionClient,
  process: AbandonedProcess,
  options: RecoverOptions,
  recovered: Recovered,
): Promise<void> {
  let unsettled = 0;
  await endOwned(process, options);
  await inTurns(process.executions, async (left) => {
    unsettled += await settleExecution(client, left, options, recovered);
  });
  if (unsettled === 0) await options.journal.settled(process);
}

/** Says how much could not be settled. */
async function settleExecution(
  client: AsyncCompletionClient,
  { run_id, steps, operations, ...left }: AbandonedExecution,
  options: RecoverOptions,
  recovered: Recovered,
): Promise<number> {
  let unsettled = 0;
  let repeated = false;
  const kept = options.keepOutput?.(run_id, steps).catch((error) => {
    unsettled++;
    options.log?.("What a dead worker's steps have written could not all be brought into the database.", { error });
  });
  if (operations.length > 0) {
    const pending = await pendingOf(options.connection, options.namespace, executionOf(left));
    const waited = operations.filter(({ open }) => pending === undefined || pending.ids.has(open.key.activity_id));
    recovered.known += operations.length - waited.length;
    await inTurns(waited, async (operation) => {
      try {
        const settled = await settle(client, operation, options);
        recovered[settled]++;
        repeated ||= settled === "failed";
      } catch (error) {
        unsettled++;
        options.log?.("An operation of a dead worker could not be settled.", { operation: nameOf(operation.open.key), error });
      }
    });
  }
  if (repeated) void bringIntoMemory(executionOf(left), options);
  await kept;
  return unsettled;
}

function executionOf({ workflow_id, execution }: Pick<JournalKey, "workflow_id" | "execution">): Required<Execution> {
  return { workflowId: workflow_id, runId: execution };
}

/** While the step is done again, this worker replays the run: it then goes on at once. Any question does that. */
async function bringIntoMemory(execution: Execution, { connection, namespace, log }: RecoverOptions): Promise<void> {
  await sleep(BEGUN_MS);
  try {
    const query = { queryType: "__temporal_workflow_metadata" };
    await connection.withDeadline(Date.now() + MEMORY_MS, () =>
      connection.workflowService.queryWorkflow({ namespace, execution, query }),
    );
  } catch (error) {
    log?.("A run was not replayed ahead of its next step.", { run: execution.workflowId, error });
  }
}

/** What has no journal, such as a look or the making of a tree, can be done again. Says how many there were. */
async function giveBack(client: AsyncCompletionClient, execution: Execution, options: RecoverOptions): Promise<number> {
  const { connection, namespace, log } = options;
  const lost = (await pendingOf(connection, namespace, execution))?.lost ?? [];
  await resetStickyQueue(execution, options);
  for (const { activityId, cancelRequested } of lost) {
    const { workflowId, runId } = execution;
    const place = { workflowId, activityId, ...(runId === undefined ? {} : { runId }) };
    try {
      if (cancelRequested) await client.reportCancellation(place);
      else await client.fail(place, workerLost("The worker that ran this was lost."));
    } catch (error) {
      log?.("An activity of a dead worker could not be given back.", { ...place, error });
    }
  }
  return lost.length;
}

/** Processes that were to end with their worker, and were too busy to notice. */
async function endOwned({ owner }: AbandonedProcess, { graceMs, log }: RecoverOptions): Promise<void> {
  try {
    await sweep({ LONGHAUL_OWNER: ownerMark(owner) }, graceMs);
  } catch (error) {
    log?.("A process of a dead worker could not be ended.", { ...owner, error });
  }
}

async function settle(client: AsyncCompletionClient, operation: Abandoned, options: RecoverOptions): Promise<keyof Recovered> {
  const { open, recorded } = operation;
  const token = Buffer.from(open.token, "base64");
  const serializationContext: ActivitySerializationContext = {
    type: "activity",
    namespace: options.namespace,
    workflowId: open.key.workflow_id,
    activityId: open.key.activity_id,
    isLocal: false,
  };
  const execution = executionOf(open.key);
  if (!recorded) await sweep({ LONGHAUL_RUN_ID: open.run_id, LONGHAUL_OPERATION: operationMark(open.key) }, options.graceMs);
  await resetStickyQueue(execution, options);
  try {
    await report(client, token, recorded, { serializationContext });
    return recorded ? "completed" : "failed";
  } catch (error) {
    if (!(error instanceof ActivityNotFoundError)) throw error;
    await resetStickyQueue(execution, options); // a call that fails undoes it
    return "known";
  }
}

async function report(
  client: AsyncCompletionClient,
  token: Uint8Array,
  recorded: RecordedResult | undefined,
  context: { serializationContext: ActivitySerializationContext },
): Promise<void> {
  if (!recorded) await client.fail(token, workerLost("The worker that ran this was lost."), context);
  else if ("outcome" in recorded) await client.complete(token, recorded.outcome, context);
  else if (recorded.failure.type === "cancelled") await client.reportCancellation(token, recorded.failure.detail, context);
  else await client.fail(token, toApplicationFailure(recorded.failure), context);
}

/**
 * The next workflow task of this run goes to any worker. The server keeps this in its memory alone: the next call for the same
 * run that fails undoes it, so it has to come right before the report.
 */
async function resetStickyQueue(execution: Execution, { connection, namespace, log = () => {} }: RecoverOptions): Promise<void> {
  try {
    await connection.workflowService.resetStickyTaskQueue({ namespace, execution });
  } catch (error) {
    // Closed meanwhile, most often: it has no next workflow task.
    log("A sticky queue was not reset.", { ...execution, error });
  }
}

async function inTurns<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(act));
}
