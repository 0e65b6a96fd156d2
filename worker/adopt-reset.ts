import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@temporalio/client";
import proto from "@temporalio/proto";
import type { Logger } from "pino";
import { TASK_QUEUE } from "../config.js";
import { restoredStart } from "../contract/restore.js";
import { recordAudit } from "../db/audit.js";
import type { Database } from "../db/database.js";
import { applyAccepted } from "../db/projection.js";
import { isRestored, planRestore, pointAt, type RestorePoint, whileRestoring } from "../db/restore.js";
import { withFailureStrategy } from "../definition/failure-strategy.js";
import type { History, Replayer } from "./replayer.js";

interface AdoptDeps {
  db: Database;
  client: Client;
  replayer: Replayer;
  log: Logger;
}

const { WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW: RESET } = proto.temporal.api.enums.v1.WorkflowTaskFailedCause;

/**
 * A run was reset in Temporal itself: restore it to the last checkpoint before that point. The execution that the reset has made is ended by it;
 * it has done nothing, since activities do nothing for it and nothing of what it tells is written. Done again nothing more happens.
 */
export async function adoptReset({ db, client, replayer, log }: AdoptDeps, runId: string, execution: string): Promise<void> {
  const history = await client.workflow.getHandle(runId, execution).fetchHistory();
  const request = { id: `reset-${execution}`, at: new Date().toISOString(), by: null };
  await whileRestoring(db, runId, async () => {
    if (await isRestored(db, runId, request.id)) return;
    const point = await pointOf({ db, client, replayer }, runId, history);
    const spec = await planRestore(db, runId, point, request);
    const { program, on_failure, restore } = spec;
    const plan =
      program.kind === "plan" && on_failure ? { ...program, plan: withFailureStrategy(program.plan, on_failure) } : program;
    const handle = await client.workflow.start(spec.workflow_name, {
      taskQueue: TASK_QUEUE,
      args: [{ ...spec, program: plan }],
      ...restoredStart(spec),
    });
    const fact = { type: "run.restored" as const, restore, into: handle.firstExecutionRunId, numbers: restore.numbers };
    await applyAccepted(db, { ...fact, run_id: runId, at: request.at });
    const data = { checkpoint_id: restore.checkpoint_id, resume_count: restore.count, by: "Temporal" };
    await recordAudit(db, { user_id: null, action: "run.restore", subject: runId, data });
    log.info({ run: runId, checkpoint: restore.checkpoint_id }, "a run that was reset in Temporal was restored");
  });
}

const TRIES = 10;

/** Try again while it fails, each time after a longer while. */
export async function withPatience(act: () => Promise<void>, warn: (message: string, error: unknown) => void): Promise<void> {
  for (let tried = 1; tried <= TRIES; tried++) {
    try {
      return await act();
    } catch (error) {
      warn("A run that was reset in Temporal is not restored yet.", error);
      await delay(500 * 2 ** tried, undefined, { ref: false });
    }
  }
}

/** What had ended at the point of the reset. */
async function pointOf(
  { db, client, replayer }: Omit<AdoptDeps, "log">,
  runId: string,
  { events }: History,
): Promise<RestorePoint> {
  const reset = events?.findLast((event) => event.workflowTaskFailedEventAttributes?.cause === RESET);
  const base = reset?.workflowTaskFailedEventAttributes?.baseRunId;
  if (!reset || !base) return { checkpoint_id: null, kept: [] };
  const before = await client.workflow.getHandle(runId, base).fetchHistory();
  const facts = await replayer.facts(runId, { events: upToTask(before, String(reset.eventId)) });
  const last = facts.findLast((fact) => fact.type === "checkpoint.created" && fact.created_by === "automatic");
  return last?.type === "checkpoint.created" ? pointAt(db, runId, last.id) : { checkpoint_id: null, kept: [] };
}

/** A history up to the end of a workflow task, with what that has asked for: as it was just then. */
function upToTask({ events }: History, task: string): NonNullable<History["events"]> {
  const all = events ?? [];
  const end = all.findIndex(({ eventId }) => String(eventId) === task) + 1;
  const next = all.findIndex((event, i) => i >= end && taskOf(event) !== task);
  return all.slice(0, next < 0 ? all.length : next);
}

/** The workflow task that has asked for what the event tells. */
function taskOf(event: object): string | undefined {
  const attributes = Object.entries(event).find(([name, value]) => name.endsWith("Attributes") && value)?.[1];
  return attributes?.workflowTaskCompletedEventId === undefined ? undefined : String(attributes.workflowTaskCompletedEventId);
}
