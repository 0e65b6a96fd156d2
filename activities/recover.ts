import type { WorkflowService } from "@temporalio/client";
import { ActivityNotFoundError, AsyncCompletionClient, type ConnectionLike } from "@temporalio/client";
import type { ActivitySerializationContext, DataConverter } from "@temporalio/common";
import { toApplicationFailure, workerLost } from "./failure.js";
import { type Abandoned, type AbandonedFile, type Journal, nameOf, type RecordedResult } from "./journal.js";
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
  openRuns?: readonly { workflowId: string; runId?: string }[] | undefined;
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

/**
 * Settle what dead workers of this host have left, as a worker starts and before anybody waits for a heartbeat. First the
 * open runs' sticky queues are reset, so that the next workflow task comes here at once; then each operation without a word
 * is settled with its own task token: an outcome in the journal is reported, what has none is ended and fails as
 * `worker_lost`, which Temporal tries again.
 *
 * Nothing is thrown for one run or operation: what cannot be settled now is settled by Temporal's timeouts.
 */
export async function recoverJournal(options: RecoverOptions): Promise<Recovered> {
  const { journal, connection, namespace, dataConverter, identity, openRuns = [], log = () => {} } = options;
  const files = await journal.abandoned();
  await resetStickyQueues(connection.workflowService, namespace, [...openRuns, ...runsOf(files)], log);

  const client = new AsyncCompletionClient({ connection, namespace, dataConverter, identity });
  const recovered: Recovered = { completed: 0, failed: 0, known: 0 };
  for (const file of files) {
    let unsettled = 0;
    await endOwned(file, options);
    await inTurns(file.operations, async (operation) => {
      try {
        recovered[await settle(client, operation, options)]++;
      } catch (error) {
        unsettled++;
        log("An operation of a dead worker could not be settled.", { operation: nameOf(operation.open.key), error });
      }
    });
    if (unsettled === 0) await journal.settled(file);
  }
  return recovered;
}

/** Processes that were to end with their worker, and were too busy to notice. */
async function endOwned({ run_id, owner }: AbandonedFile, { graceMs, log }: RecoverOptions): Promise<void> {
  try {
    await sweep({ LONGHAUL_RUN_ID: run_id, LONGHAUL_OWNER: ownerMark(owner) }, graceMs);
  } catch (error) {
    log?.("A process of a dead worker could not be ended.", { run_id, error });
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
  if (!recorded) await sweep({ LONGHAUL_RUN_ID: open.run_id, LONGHAUL_OPERATION: operationMark(open.key) }, options.graceMs);
  try {
    await report(client, token, recorded, { serializationContext });
    return recorded ? "completed" : "failed";
  } catch (error) {
    if (error instanceof ActivityNotFoundError) return "known";
    throw error;
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

async function resetStickyQueues(
  service: WorkflowService,
  namespace: string,
  runs: { workflowId: string; runId?: string }[],
  log: NonNullable<RecoverOptions["log"]>,
): Promise<void> {
  const distinct = new Map(runs.map((run) => [`${run.workflowId}/${run.runId ?? ""}`, run]));
  await inTurns([...distinct.values()], async (execution) => {
    try {
      await service.resetStickyTaskQueue({ namespace, execution });
    } catch (error) {
      // Closed meanwhile, most often: it has no next workflow task.
      log("A sticky queue was not reset.", { ...execution, error });
    }
  });
}

function runsOf(files: AbandonedFile[]): { workflowId: string; runId: string }[] {
  return files.flatMap(({ operations }) =>
    operations.map(({ open }) => ({ workflowId: open.key.workflow_id, runId: open.key.execution })),
  );
}

async function inTurns<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(act));
}
