import { WorkflowNotFoundError } from "@temporalio/client";
import proto from "@temporalio/proto";
import { isUnavailable } from "../db/database.js";
import { unnarratedRuns, unsettledExecutions } from "../db/executions.js";
import { settleRun } from "../db/projection-correct.js";
import { mirrorNativePause } from "./native-pause.js";
import { nativeEnding, tellNative } from "./native-story.js";
import type { History } from "./replayer.js";
import { ownBuild } from "./replays-of-build.js";
import { ENDLESS, endingOf, type SettleDeps, settle } from "./settle.js";
import { type HistoryEvent, isUnfit, tellUnfit } from "./unfit.js";

/** A run's code has failed its workflow task this often when it is given up. */
const TASK_FAILURES = 3;

/** Closed runs are settled when no run is busy, and at the latest after this time. */
const SETTLE_WITHIN_MS = 30_000;

/** A run that was accepted within this time is about to begin, and need not be looked at. */
const ACCEPTED_MS = 3_000;

interface ReconcilerDeps extends SettleDeps {
  namespace: string;
  /** Whether no run is busy. */
  isQuiet: () => boolean;
  /** Whether a run has told something of late: it goes on, and need not be looked at. */
  isTelling: (runId: string, execution: string) => boolean;
}

/**
 * Finds runs whose row disagrees with Temporal, and settles them: executions that have closed, runs that
 * were terminated, timed out, reset or paused in Temporal's own page, runs whose own code cannot be run.
 */
export class Reconciler {
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly passes = new Set<Promise<void>>();
  private stopped = false;
  private settledAt = 0;
  /** Executions that were cancelled, and are to be settled. */
  private readonly lookedAt = new Set<string>();
  /** Executions whose task has failed. */
  private readonly seen = new Set<string>();
  /** Executions that this build does not replay, and the event that said so last. */
  private readonly unfit = new Map<string, string>();

  constructor(
    private readonly deps: ReconcilerDeps,
    private readonly everyMs = 2_000,
  ) {}

  /** Two rounds that do not wait for each other: a replay may take long, and open runs are to be seen right within seconds. */
  start(): void {
    this.round(() => this.settleClosed());
    this.round(() => this.lookAtOpen());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
    await Promise.all(this.passes);
  }

  private round(act: () => Promise<void>): void {
    const pass = this.guarded(act).finally(() => {
      this.passes.delete(pass);
      if (this.stopped) return;
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        this.round(act);
      }, this.everyMs);
      this.timers.add(timer);
    });
    this.passes.add(pass);
  }

  private async guarded(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!isUnavailable(error)) this.deps.log.warn({ error: String(error) }, "reconciling failed; trying again");
    }
  }

  private async settleClosed(): Promise<void> {
    if (!this.deps.isQuiet() && Date.now() - this.settledAt < SETTLE_WITHIN_MS) return;
    this.settledAt = Date.now();
    const closed = new Map<string, string[]>();
    for (const { runId, execution } of await unsettledExecutions(this.deps.db, { finished: true })) {
      closed.set(runId, [...(closed.get(runId) ?? []), execution]);
    }
    for (const [runId, unsettled] of closed) await this.attempt(runId, () => settle(this.deps, runId, unsettled));
  }

  private async lookAtOpen(): Promise<void> {
    const { db } = this.deps;
    for (const { runId, execution } of await unsettledExecutions(db, { finished: false })) {
      if (!this.deps.isTelling(runId, execution)) await this.attempt(runId, () => this.look(runId, execution));
    }
    const accepted = new Date(Date.now() - ACCEPTED_MS);
    for (const runId of await unnarratedRuns(db, accepted)) await this.attempt(runId, () => this.look(runId, undefined));
    await this.lookAtCancelled();
  }

  /** Of runs that were cancelled of late: whether that was done in Temporal itself. */
  private async lookAtCancelled(): Promise<void> {
    const ended = await unsettledExecutions(this.deps.db, { finished: true });
    const cancelled = ended.filter(({ status }) => status === "cancelled");
    for (const { runId, execution } of cancelled) {
      if (this.lookedAt.has(execution)) continue;
      await this.attempt(runId, async () => {
        await this.tellEnding(runId, await this.deps.client.workflow.getHandle(runId, execution).fetchHistory());
        this.lookedAt.add(execution);
      });
    }
    const open = new Set(cancelled.map(({ execution }) => execution));
    for (const execution of this.lookedAt) if (!open.has(execution)) this.lookedAt.delete(execution);
  }

  private async tellEnding(runId: string, history: History): Promise<void> {
    const act = nativeEnding(history);
    if (act && act.identity !== ENDLESS) await tellNative(this.deps.db, this.deps.client, runId, act);
  }

  private async attempt(runId: string, act: () => Promise<void>): Promise<void> {
    if (this.stopped) return;
    await act().catch((error: unknown) => {
      if (isUnavailable(error)) throw error;
      this.deps.log.debug({ run: runId, error: String(error) }, "not settled; trying again");
    });
  }

  /** Compare an open run with what Temporal says of it. */
  private async look(runId: string, execution: string | undefined): Promise<void> {
    const { db, client } = this.deps;
    const latest = await client.workflow
      .getHandle(runId)
      .describe()
      .catch((error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return null;
        throw error;
      });
    if (latest === null) return;

    if (latest.status.name === "RUNNING" || latest.status.name === "PAUSED") {
      await mirrorNativePause(db, client, runId, latest.raw);
      const attempt = latest.raw.pendingWorkflowTask?.attempt ?? 0;
      if (attempt > 1 && latest.raw.pendingWorkflowTask) await this.lookAtFailure(runId, latest.runId, attempt);
      return;
    }
    if (execution !== undefined && latest.runId !== execution) return;
    const history = await client.workflow.getHandle(runId, latest.runId).fetchHistory();
    await this.tellEnding(runId, history);
    await settleRun(db, runId, latest.runId, endingOf(history, latest.status.name));
  }

  /** Its task fails: for what it is told, or given up. */
  private async lookAtFailure(runId: string, execution: string, attempt: number): Promise<void> {
    if (attempt <= TASK_FAILURES && this.seen.has(execution)) return;
    this.seen.add(execution);
    const { events = [] } = await this.deps.client.workflow.getHandle(runId, execution).fetchHistory();
    const event = events?.findLast((one) => one.workflowTaskFailedEventAttributes);
    const failed = event?.workflowTaskFailedEventAttributes;
    if (event && failed && isUnfit(failed)) {
      if (this.unfit.get(execution) === String(event.eventId)) return;
      await tellUnfit(this.deps, { runId, execution, event, version: ownBuild().version });
      this.unfit.set(execution, String(event.eventId));
    } else if (attempt > TASK_FAILURES) await this.giveUp(runId, execution, events ?? []);
  }

  /** The run's own code cannot be run: end it, or it would be tried for ever. */
  private async giveUp(runId: string, execution: string, events: readonly HistoryEvent[]): Promise<void> {
    const { client } = this.deps;
    const failed = events.findLast((event) => event.workflowTaskFailedEventAttributes)?.workflowTaskFailedEventAttributes;
    const { WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE: own } =
      proto.temporal.api.enums.v1.WorkflowTaskFailedCause;
    const timedOut = events.some((event) => event.workflowTaskTimedOutEventAttributes);
    if (failed && failed.cause !== own && !timedOut) return; // not its code: a deploy may mend it
    const why = failed?.failure?.message ?? "it did not come to an end within its time";
    await client.connection.workflowService.terminateWorkflowExecution({
      namespace: this.deps.namespace,
      workflowExecution: { workflowId: runId, runId: execution },
      identity: ENDLESS,
      reason: `The workflow's code failed ${TASK_FAILURES} times: ${why}`,
    });
  }
}
