import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import type { Logger } from "pino";
import type { RestoreDeps } from "../activities/restore.js";
import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { executionsOf, openChildren } from "../db/executions.js";
import { applyFacts } from "../db/projection.js";
import { resumptionOf } from "../db/restore.js";
import type { NarrationWriter } from "./narration-writer.js";
import { type History, ReplayError } from "./replayer.js";

interface Deps {
  db: Database;
  client: Client;
  namespace: string;
  /** All facts of a Temporal execution up to now. */
  replay: (runId: string, execution: string) => Promise<Fact[]>;
  writer: NarrationWriter;
  log: Logger;
}

/** Executions whose beginning is remembered. */
const MOST_KNOWN = 10_000;

/** What the activities need to restore a run. */
export function createRestoreDeps(
  deps: Deps,
): Pick<RestoreDeps, "tellEarlier" | "openChildren" | "readResumption"> & Required<Pick<RestoreDeps, "isReset">> {
  const { db, writer } = deps;
  const known = new Map<string, boolean>();
  return {
    openChildren: (runId) => openChildren(db, runId),
    readResumption: (runId, restore) => resumptionOf(db, runId, restore),
    async tellEarlier(runId, execution) {
      await writer.flushedBut(runId, execution);
      for (const earlier of await executionsOf(db, runId)) {
        if (earlier !== execution) await tell(deps, runId, earlier);
      }
    },
    async isReset(workflowId, execution) {
      const found = known.get(execution) ?? (await isReset(deps, workflowId, execution));
      known.set(execution, found);
      if (known.size > MOST_KNOWN) known.delete(known.keys().next().value ?? "");
      return found;
    },
  };
}

/** Ends before which a run sees to it that all it has told is written. */
const IN_ORDER = ["COMPLETED", "FAILED", "CANCELLED", "CONTINUED_AS_NEW"];

/** What a worker that is gone has not told. */
async function tell({ db, client, replay, log }: Deps, runId: string, execution: string): Promise<void> {
  try {
    const { status } = await client.workflow.getHandle(runId, execution).describe();
    if (IN_ORDER.includes(status.name)) return;
    await applyFacts(db, runId, execution, await replay(runId, execution));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return; // Temporal has forgotten it: it was settled long ago
    if (!(error instanceof ReplayError)) throw error;
    log.warn({ run: runId, error: error.message }, "what an execution before the restore has told last is not known");
  }
}

/** Whether Temporal's own reset has made this execution: it then has the beginning of another one. */
export async function isReset(
  { client, namespace }: Pick<Deps, "client" | "namespace">,
  workflowId: string,
  runId: string,
): Promise<boolean> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  return history ? isOfReset(history, runId) : false;
}

/** The same of a history, or of its beginning. */
export function isOfReset({ events }: History, execution: string): boolean {
  const original = events?.[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId;
  return Boolean(original) && original !== execution;
}
