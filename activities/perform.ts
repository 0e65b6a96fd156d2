import { Context } from "@temporalio/activity";
import { type ApplicationFailure, CancelledFailure } from "@temporalio/common";
import type { Call, LostAttempt, Outcome, Trace } from "../contract/activity.js";
import type { Json } from "../contract/json.js";
import type { ProjectSettings } from "../contract/project-settings.js";
import { stepFolderName } from "../db/run-folder.js";
import { checkBySchema } from "../definition/fit-schema.js";
import { faultPoint } from "../fault.js";
import { describeFailure, StepFailure, toApplicationFailure, workerLost } from "./failure.js";
import { type Journal, type Opening, SupersededError } from "./journal.js";
import { type JournalKey, nameOf, type RecordedFailure, type RecordedResult } from "./journal-record.js";
import { type LogSink, LogStream } from "./log-stream.js";
import type { Marks } from "./marks.js";
import { type Heartbeat, Interrupted, Operation } from "./operation.js";
import { operationsOf } from "./operations.js";
import { withinHistory } from "./oversize.js";
import { accessTo, environmentOf, type ReadAccess } from "./project-access.js";
import { refuseLate } from "./refuse-late.js";
import { NO_MASK, type SecretMask } from "./secret-mask.js";
import { orGiveUp, StepClock } from "./step-clock.js";
import { GRACE_MS, sweep } from "./sweep.js";

/** What every activity stands on. */
export interface PerformDeps {
  journal: Journal;
  log: LogSink;
  /** Hides the installation's own secrets in whatever is recorded and reported. */
  mask?: SecretMask | undefined;
  /** Reads the settings and secrets of the run's project. @default none */
  access?: ReadAccess | undefined;
  /** Told what goes wrong beside the step, such as a journal that cannot be written. */
  warn?: ((message: string, error: unknown) => void) | undefined;
  /** Whether a Temporal execution of a run is one that Temporal's own reset has made: nothing is done for it. @default it is not */
  isReset?: ((workflowId: string, execution: string) => Promise<boolean>) | undefined;
  /** @default 5000 */
  heartbeatMs?: number | undefined;
  /** Between SIGTERM and SIGKILL. @default 5000 */
  graceMs?: number | undefined;
  /** How long work goes on that Temporal no longer asks about, before it is ended. @default 15000 */
  orphanMs?: number | undefined;
}

export interface PerformOptions {
  /** The project's settings matter to the work: they are read anew. @default false */
  needsSettings?: boolean | undefined;
  /** The tree that the work left, looked at when it succeeded. */
  tree?: (() => Promise<Trace["tree"]>) | undefined;
  /** Whether this is the step's value, which has to fit its schema. @default always */
  isValue?: ((value: unknown) => boolean) | undefined;
}

/** What the work inside an activity is given. */
export interface Work {
  /** The step's attempt, those lost with their workers included. */
  attempt: number;
  /** Aborted when the step is cancelled, takes too long or loses its worker: stop soon, and throw what you like. */
  signal: AbortSignal;
  /** Goes into the environment of every child process. */
  marks: Marks & Record<string, string>;
  graceMs: number;
  /** For the environment of the step's own processes: what the project's settings allow, and the secrets that the step names. */
  env: Readonly<Record<string, string>>;
  settings: ProjectSettings;
  /** Hides the secrets in what is told. The log, the value, the failure and the rows that are left are hidden in anyway. */
  mask: SecretMask;
  log: LogStream;
  /** Something was heard: the idle timeout begins anew. */
  alive(): void;
  /** Shown with each heartbeat: a child's pid, an agent's session. */
  tell(beat: Heartbeat): void;
  /** Nothing else has been at work in the run's tree so far: what changed in it is this work's own. */
  isAlone(): boolean;
  /** What is to be reported besides the value, also when the work fails. */
  left: Pick<Trace, "tree" | "artifacts" | "sessions" | "tool_calls">;
}

const HEARTBEAT_MS = 5_000;

/**
 * Do something to the world for a step: once, whatever happens to the worker or the server. What an earlier attempt has
 * recorded is given back. Attempts that left nothing are counted in `lost`, and their processes ended first; when the step
 * may not run again (`noRetry`) it fails as `outcome_unknown` instead. Keeps the step's two timeouts, heartbeats, ends what
 * is left of a step that failed, and puts a value over 64 KB into an artifact.
 *
 * @throws {ApplicationFailure} of the types listed in `failure.ts`, never to be tried again by Temporal but for
 *   `worker_lost`; {CancelledFailure} when the step was cancelled. Both have a FailureDetail.
 */
export async function perform<Value>(
  deps: PerformDeps,
  name: string,
  call: Call<unknown>,
  options: PerformOptions,
  work: (work: Work) => Promise<Value>,
): Promise<Outcome<Value>> {
  const context = Context.current();
  const { attempt, base64TaskToken, activityId, workflowExecution } = context.info;
  const key: JournalKey = {
    workflow_id: workflowExecution?.workflowId ?? call.run.run_id,
    execution: workflowExecution?.runId ?? "",
    activity_id: activityId,
  };
  const operations = operationsOf(deps.journal);

  const running = operations.get(nameOf(key));
  if (running) {
    running.opening = deps.journal.open(call.run.run_id, call.step.id, key, attempt, base64TaskToken);
    await running.opening;
    return (await running.join(context)) as Outcome<Value>; // the same call, begun by an earlier attempt
  }

  const operation = new Operation(call, deps.heartbeatMs ?? HEARTBEAT_MS, deps.orphanMs ?? 15_000);
  for (const other of operations.values()) operation.meet(other);
  operations.set(nameOf(key), operation);
  operation.result = begin().finally(() => operations.delete(nameOf(key)));
  return (await operation.join(context)) as Outcome<Value>;

  async function begin(): Promise<{ outcome: Outcome<unknown> } | { failure: Error }> {
    try {
      operation.opening = deps.journal.open(call.run.run_id, call.step.id, key, attempt, base64TaskToken);
      const opening = await operation.opening.catch(notBegun);
      if (opening.recorded) return given(opening.recorded);
      return await carryOut(deps, name, call, options, work, operation, opening);
    } catch (error) {
      return {
        failure: toApplicationFailure(describeFailure(error, { started_at: now(), completed_at: now(), lost: [] }), error),
      };
    }
  }
}

async function carryOut<Value>(
  deps: PerformDeps,
  name: string,
  call: Call<unknown>,
  options: PerformOptions,
  work: (work: Work) => Promise<Value>,
  operation: Operation,
  opening: Opening,
): Promise<{ outcome: Outcome<unknown> } | { failure: Error }> {
  const { run, step } = call;
  const { graceMs = GRACE_MS } = deps;
  const lost = lostBefore(opening, Context.current().info.scheduledTimestampMs);
  const attempt = call.attempt + lost.length;
  const marks = marksOf(call, opening, attempt);
  if (lost.length > 0)
    await sweep({ LONGHAUL_RUN_ID: run.run_id, LONGHAUL_OPERATION: operationMark(opening.record.key) }, graceMs);

  const file = { project_path: run.project_path, path: `logs/${stepFolderName(step)}/events.jsonl` };
  const log = new LogStream(deps.log, { run_id: run.run_id, step_id: step.id, attempt, file });
  const clock = new StepClock(call, operation.stopper);
  const left: Work["left"] = {};
  const started_at = now();
  const trace = (): Trace => ({ started_at, completed_at: now(), lost, ...left });
  const { signal } = operation;
  const noTree = (error: unknown): undefined => {
    // The work is done: that it leaves no checkpoint is to be seen, and no reason to do it again.
    log.write(
      "log",
      `The tree that this step leaves could not be kept: ${error instanceof Error ? error.message : error}\n`,
      "warn",
    );
    deps.warn?.("The tree that a step leaves could not be kept.", error);
  };

  let result: RecordedResult;
  let thrown: unknown;
  let mask = deps.mask ?? NO_MASK;
  log.hide(mask);
  try {
    if (lost.length > 0 && call.noRetry) {
      throw new StepFailure(
        "outcome_unknown",
        `A worker was lost while ${name} ran, and this step may not run again: look at what it did.`,
      );
    }
    await refuseLate(deps, run, opening.record.key, signal);
    faultPoint("activity:begun", step.number);
    // Before the step's clock begins: while Postgres is away a step that needs it waits.
    const { secrets = [] } = call;
    const isFresh = options.needsSettings || secrets.length > 0;
    const access = await accessTo(deps, { projectId: run.project_id, isFresh, signal });
    mask = access.mask;
    log.hide(mask);
    const env = environmentOf(access, secrets, process.env);
    clock.start();
    const heard = { alive: () => clock.alive(), tell: (beat: Heartbeat) => operation.tell(beat) };
    const of = { env, settings: access.settings, mask };
    const given: Work = { attempt, signal, marks, graceMs, ...of, log, ...heard, isAlone: () => !operation.beside, left };
    const value = await orGiveUp(work(given), signal, graceMs);
    clock.stop();
    log.flush(); // on its way while the tree is looked at
    if (options.isValue?.(value) ?? true) refuseUnfit(call, value);
    left.tree = (await options.tree?.().catch(noTree)) ?? left.tree;
    const kept = await withinHistory(run, step, mask.json(value));
    if (kept.artifact) left.artifacts = [...(left.artifacts ?? []), kept.artifact];
    result = { outcome: { ...hidden(trace(), mask), value: kept.value } };
  } catch (error) {
    clock.stop();
    // What a failed step has left in the background would stand in the way of its next attempt.
    await sweep(marks, graceMs).catch((problem) => deps.warn?.("Something of a failed step could not be ended.", problem));
    thrown = signal.aborted ? signal.reason : error;
    if (thrown instanceof Interrupted) {
      void log.end();
      deps.journal.abandon(opening.record);
      return { failure: workerLost(thrown.message) };
    }
    if (thrown instanceof StepFailure && error instanceof StepFailure && thrown !== error) {
      thrown = new StepFailure(thrown.type, thrown.message, error.output);
    }
    const { type, message, detail } = describeFailure(thrown, hidden(trace(), mask));
    const output = detail.output === undefined ? {} : { output: mask.json(detail.output) };
    result = { failure: await bounded(call, { type, message: mask.text(message), detail: { ...detail, ...output } }) };
  }
  const written = log.end();
  faultPoint("activity:done", step.number);
  if (written) await written; // a recorded step has all its output
  try {
    await record(deps.journal, operation, result);
  } catch (error) {
    if (error instanceof SupersededError) return { failure: workerLost(error.message) };
    // The effect is there, and so is its outcome: to report it is better than to hide it.
    deps.warn?.("The outcome of a step could not be recorded.", error);
  }
  faultPoint("activity:recorded", step.number);
  return given(result, thrown);
}

/** In rows, what was said and seen is hidden in as a value is, and their ids and paths as such. */
function hidden(trace: Trace, mask: SecretMask): Trace {
  const calls = trace.tool_calls?.map((row) => ({ ...row, input: mask.json(row.input), output: mask.json(row.output) }));
  return { ...mask.record(trace), ...(calls ? { tool_calls: calls } : {}) };
}

/** @throws {StepFailure} `output_invalid` when the value does not fit the step's schema. */
function refuseUnfit({ output_schema: schema, step }: Call<unknown>, value: unknown): void {
  if (schema === undefined) return;
  const output = (value ?? null) as Json; // what an activity gives is JSON
  const checked = checkBySchema(schema, output, "output");
  if (checked.ok) return;
  const problems = checked.problems.map(({ path, message }) => `${path} ${message}`).join("; ");
  throw new StepFailure("output_invalid", `The output of ${step.key} does not fit its schema: ${problems}.`, output);
}

/**
 * Temporal's earlier attempts, none of which left an outcome. Those that the journal does not know were another host's, or had
 * their record lost with the power: what they did is as unknown.
 */
function lostBefore({ record, lost }: Opening, scheduledMs: number): LostAttempt[] {
  const unknown = Math.max(0, record.attempt - 1 - lost.length);
  const starts = [...Array(unknown).fill(new Date(scheduledMs).toISOString()), ...lost.map(({ started_at }) => started_at)];
  return starts.map((started_at) => ({ started_at, lost_at: now() }));
}

/** What a failure carries is kept out of the history like a value when it is too large. */
async function bounded({ run, step }: Call<unknown>, failure: RecordedFailure): Promise<RecordedFailure> {
  const { output, ...trace } = failure.detail;
  if (output === undefined) return failure;
  try {
    const kept = await withinHistory(run, step, output);
    const artifacts = kept.artifact ? [...(trace.artifacts ?? []), kept.artifact] : trace.artifacts;
    return { ...failure, detail: { ...trace, artifacts, output: kept.value } };
  } catch {
    return { ...failure, detail: trace }; // no place for it: the failure itself is what counts
  }
}

/** Under the newest attempt that has joined: one that joins at this very moment overtakes only its own forerunner. */
async function record(journal: Journal, operation: Operation, result: RecordedResult): Promise<void> {
  const latest = async () => (await operation.opening!).record; // begun before the work
  const opened = await latest();
  try {
    await journal.close(opened, result);
  } catch (error) {
    const newer = await latest();
    if (newer === opened) throw error;
    await journal.close(newer, result);
  }
}

function marksOf({ run, step }: Call<unknown>, { record }: Opening, attempt: number): Marks & Record<string, string> {
  return {
    LONGHAUL_RUN_ID: run.run_id,
    LONGHAUL_STEP_ID: step.id,
    LONGHAUL_ATTEMPT: String(attempt),
    LONGHAUL_OPERATION: operationMark(record.key),
  };
}

/** What marks the processes of one activity, whichever attempt. */
export function operationMark({ execution, activity_id }: JournalKey): string {
  return `${execution}:${activity_id}`;
}

function given(result: RecordedResult, cause?: unknown): { outcome: Outcome<unknown> } | { failure: Error } {
  return "outcome" in result ? result : { failure: thrownFor(result.failure, cause) };
}

function thrownFor(failure: RecordedFailure, cause: unknown): ApplicationFailure | CancelledFailure {
  return failure.type === "cancelled"
    ? new CancelledFailure(failure.message, [failure.detail])
    : toApplicationFailure(failure, cause);
}

/** Without a word in the journal nothing is done: it could not be told from what was lost. */
function notBegun(error: unknown): never {
  if (error instanceof SupersededError) throw error;
  const why = error instanceof Error ? error.message : String(error);
  throw new StepFailure("journal_failed", `The step was not begun, for its journal could not be written: ${why}`);
}

function now(): string {
  return new Date().toISOString();
}
