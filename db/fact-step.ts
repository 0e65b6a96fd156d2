import { isFinished } from "../contract/run.js";
import { isStepFinished } from "../contract/step.js";
import { attemptKey, type RunRows, type StepRow, type Told, touch } from "./fact-rows.js";
import { speaksForRun } from "./fact-run.js";
import { stepLogPath } from "./run-folder.js";

export function startStep(rows: RunRows, fact: Told<"step.started">): void {
  const at = new Date(fact.at);
  const row = rows.steps.get(fact.step.id) ?? newStep(fact, at);
  rows.steps.set(row.id, row);
  row.stepKey = fact.step.key;
  row.name = fact.step.name;
  row.phase = fact.step.phase;
  row.kind = fact.step.kind;
  row.iteration = fact.step.iteration;
  row.maxAttempts = fact.max_attempts;
  row.input = fact.input;
  row.logDirectoryPath = stepLogPath(fact.run_id, fact.step);
  touch(rows, row, at);
  const before = row.status;
  if (!moves(rows, row, fact)) return;

  if (isStepFinished(before)) rows.run.currentStepIndex--;
  row.status = "running";
  row.waitingFor = null;
  row.startedAt = at;
  row.completedAt = null;
  row.output = null;
  row.error = null;
  rows.run.iteration = fact.step.iteration;
  if (fact.step.phase !== null) rows.run.currentPhase = fact.step.phase;
  pointAtNewest(rows, at);
}

export function waitInStep(rows: RunRows, fact: Told<"step.waiting">): void {
  const row = rows.steps.get(fact.step_id);
  if (!row || !moves(rows, row, fact)) return;
  row.status = "waiting";
  row.waitingFor = fact.waiting_for;
  touch(rows, row, new Date(fact.at));
}

export function resumeStep(rows: RunRows, fact: Told<"step.resumed">): void {
  const row = rows.steps.get(fact.step_id);
  if (!row || !moves(rows, row, fact)) return;
  row.status = "running";
  row.waitingFor = null;
  touch(rows, row, new Date(fact.at));
}

/** What a step that waits waits for now: of a run that waits for the same, too. Null: nobody is asked any more; a step that ends with that keeps its status until it does. */
export function changeWait(rows: RunRows, fact: Told<"approval.answered"> | Told<"approval.delegated">): void {
  const row = rows.steps.get(fact.step_id);
  if (!row || !moves(rows, row, fact)) return;
  row.waitingFor = "waiting_for" in fact ? fact.waiting_for : null;
  touch(rows, row, new Date(fact.at));
  const { run } = rows;
  if (row.waitingFor === null || run.waitingFor?.step_id !== row.id || !speaksForRun(run, fact)) return;
  run.waitingFor = row.waitingFor;
  touch(rows, run, new Date(fact.at));
}

export function failAttempt(rows: RunRows, fact: Told<"step.attempt">): void {
  const row = rows.steps.get(fact.step_id);
  if (!row) return;
  keepAttempt(rows, fact);
  if (fact.retry_at === null || !moves(rows, row, fact)) return;
  row.status = "retrying";
  row.waitingFor = null;
  row.attemptNumber = fact.attempt + 1;
  if (fact.attempt === 1) row.startedAt = new Date(fact.started_at);
  touch(rows, row, new Date(fact.at));
}

export function finishStep(rows: RunRows, fact: Told<"step.finished">): void {
  const row = rows.steps.get(fact.step_id);
  if (!row) return;
  // A skipped step was never tried.
  if (fact.status !== "skipped") keepAttempt(rows, fact);
  const before = row.status;
  if (!moves(rows, row, fact)) return;

  const completedAt = new Date(fact.completed_at);
  if (!isStepFinished(before)) rows.run.currentStepIndex++;
  row.status = fact.status;
  row.waitingFor = null;
  row.attemptNumber = Math.max(fact.attempt, 1);
  row.output = fact.output;
  row.error = fact.error;
  if (row.attemptNumber === 1) row.startedAt = new Date(fact.started_at);
  row.completedAt = row.startedAt && row.startedAt > completedAt ? row.startedAt : completedAt;
  touch(rows, row, new Date(fact.at));
  pointAtNewest(rows, new Date(fact.at));
}

/** Nothing of a finished run is open. Returns the steps that were, now cancelled. */
export function closeSteps(rows: RunRows): StepRow[] {
  const { run } = rows;
  if (!isFinished(run.status) || run.completedAt === null) return [];
  const open = [...rows.steps.values()].filter((step) => !isStepFinished(step.status));
  for (const step of open) {
    step.status = "cancelled";
    step.waitingFor = null;
    step.completedAt = step.startedAt && step.startedAt > run.completedAt ? step.startedAt : run.completedAt;
    run.currentStepIndex++;
    touch(rows, step, run.completedAt);
    touch(rows, run, run.completedAt);
  }
  return open;
}

/**
 * Whether this fact sets the step's status, and if so notes its place. An older one, told again, does not,
 * nor does one of an earlier Temporal execution.
 */
function moves(rows: RunRows, row: StepRow, fact: Told): boolean {
  const { execution = null, seq = 0 } = fact;
  if (execution === row.execution ? seq < row.statusSeq : row.execution !== null && execution !== rows.run.temporalRunId)
    return false;
  row.execution = execution;
  row.statusSeq = seq;
  return true;
}

/** The run points at the newest step that is open; when none is, where it pointed before. */
function pointAtNewest(rows: RunRows, at: Date): void {
  const open = [...rows.steps.values()].filter((step) => !isStepFinished(step.status));
  const newest = open.sort((a, b) => b.stepNumber - a.stepNumber)[0];
  if (newest) rows.run.currentWorkflowStepId = newest.id;
  touch(rows, rows.run, at);
}

function keepAttempt(rows: RunRows, fact: Told<"step.attempt"> | Told<"step.finished">): void {
  const attempt = {
    stepId: fact.step_id,
    number: Math.max(fact.attempt, 1),
    status: fact.status,
    error: fact.error,
    startedAt: new Date(fact.started_at),
    completedAt: new Date(fact.completed_at),
  };
  rows.attempts.set(attemptKey(attempt.stepId, attempt.number), attempt);
  rows.changed.add(attempt);
}

function newStep(fact: Told<"step.started">, at: Date): StepRow {
  const { id, number, key, name, phase, kind, iteration } = fact.step;
  return {
    id,
    runId: fact.run_id,
    stepNumber: number,
    stepKey: key,
    name,
    phase,
    kind,
    status: "running",
    iteration,
    attemptNumber: 1,
    maxAttempts: fact.max_attempts,
    input: null,
    output: null,
    error: null,
    waitingFor: null,
    logDirectoryPath: null,
    agentSessionId: null,
    execution: null,
    statusSeq: 0,
    superseded: false,
    startedAt: at,
    completedAt: null,
    createdAt: at,
    updatedAt: at,
  };
}
