import { isKept } from "../contract/restore.js";
import { isStepFinished } from "../contract/step.js";
import { type RunRows, type StepRow, type Told, touch } from "./fact-rows.js";
import { awaitNothing, reopen } from "./fact-run.js";

/**
 * The run is what it was, and goes on in another execution: of its steps those that are not kept are superseded, and what of them
 * was under way is cancelled. Needs all steps of the run, and its open sessions. Told again it changes nothing.
 */
export function restoreRun(rows: RunRows, fact: Told<"run.restored">): void {
  const { run } = rows;
  const { restore, into, numbers } = fact;
  const at = new Date(fact.at);
  for (const step of rows.steps.values()) {
    if (step.stepNumber <= numbers && !isKept(restore.kept, step.stepNumber)) supersede(rows, step, at);
  }
  if (restore.count < run.resumeCount || (into === run.temporalRunId && (fact.seq ?? 0) < run.statusSeq)) return;

  for (const session of rows.sessions.values()) {
    if (session.status !== "running") continue;
    session.status = "cancelled";
    touch(rows, session, at);
    rows.ended.sessions.push(session);
  }
  reopen(run);
  awaitNothing(run);
  run.temporalRunId = into;
  run.statusSeq = fact.seq ?? 0;
  run.resumeCount = restore.count;
  run.status = "pending";
  run.waitingFor = null;
  run.pausedAt = null;
  run.state = restore.state;
  run.currentPhase = restore.phase;
  run.branchName = restore.branch_name;
  run.commitSha = restore.commit_sha;
  const kept = [...rows.steps.values()].filter(({ superseded }) => !superseded);
  run.currentStepIndex = kept.filter(({ status }) => isStepFinished(status)).length;
  run.currentWorkflowStepId = kept.sort((a, b) => b.stepNumber - a.stepNumber)[0]?.id ?? null;
  touch(rows, run, at);
}

function supersede(rows: RunRows, step: StepRow, at: Date): void {
  if (!step.superseded) {
    step.superseded = true;
    touch(rows, step, at);
  }
  if (isStepFinished(step.status)) return;
  step.status = "cancelled";
  step.waitingFor = null;
  step.completedAt = step.startedAt && step.startedAt > at ? step.startedAt : at;
  touch(rows, step, at);
  rows.ended.steps.push(step);
}
