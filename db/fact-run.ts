import type { RunHeader } from "../contract/fact.js";
import type { Json, JsonObject } from "../contract/json.js";
import { isFinished } from "../contract/run.js";
import { type RunRow, type RunRows, type Told, touch } from "./fact-rows.js";
import { executionLogPath } from "./run-folder.js";

/** The place of a status that the reconciler set: above all narrated ones, and below a final fact told after all. */
export const SETTLED = 2_147_483_647;

/** A new run's row, as its start leaves it. */
export function newRun(header: RunHeader): RunRow {
  const createdAt = new Date(header.created_at);
  return {
    id: header.run_id,
    projectId: header.project_id,
    userId: header.user_id,
    workflowId: header.workflow_id,
    workflowRevision: header.workflow_revision,
    name: header.name,
    status: "pending",
    header,
    input: header.input ?? {},
    output: null,
    error: null,
    state: {},
    context: header.context,
    currentPhase: header.phases[0] ?? null,
    currentStage: null,
    currentStepIndex: 0,
    iteration: 1,
    currentWorkflowStepId: null,
    waitingFor: null,
    branchName: null,
    commitSha: null,
    prUrl: null,
    ...githubOf(header),
    logFilePath: executionLogPath(header.run_id),
    triggeredBy: header.triggered_by,
    priority: header.priority,
    parentRunId: header.parent_run_id,
    resumeCount: 0,
    temporalRunId: null,
    statusSeq: 0,
    pendingRequest: null,
    pendingAt: null,
    eventSeq: 0,
    startedAt: null,
    completedAt: null,
    pausedAt: null,
    cancelledAt: null,
    createdAt,
    updatedAt: createdAt,
  };
}

/** What of GitHub a run is started for: its repository, and an issue or pull request that its input names by number. */
function githubOf({ input, context }: RunHeader): Pick<RunRow, "repoOwner" | "repoName" | "issueNumber" | "prNumber"> {
  const repo = fieldsOf(context.repo);
  const given = fieldsOf(input);
  return {
    repoOwner: typeof repo.owner === "string" ? repo.owner : null,
    repoName: typeof repo.name === "string" ? repo.name : null,
    issueNumber: numberIn(given.issue_number),
    prNumber: numberIn(given.pr_number),
  };
}

function fieldsOf(value: Json | undefined): JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}

/** A number that GitHub may have given, else null. */
function numberIn(value: Json | undefined): number | null {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value < 2 ** 31 ? value : null;
}

/** The run goes on in a Temporal execution that was not known before: from now on it is this one's word that counts. */
export function enterExecution(rows: RunRows, execution: string): void {
  const { run } = rows;
  // What was asked of a run before its first word is still to be confirmed.
  if (run.temporalRunId !== null) awaitNothing(run);
  run.temporalRunId = execution;
  run.statusSeq = 0;
  rows.changed.add(run);
}

/**
 * Whether an execution that tells something for the first time is the run's latest: its first, one that continues the latest, or one
 * that a restore has made. One that a later restore has ended before it could tell anything is not.
 */
export function speaksNext(run: RunRow, execution: string, first: Told | undefined): boolean {
  if (run.temporalRunId === null || run.temporalRunId === execution || first?.type !== "run.created") return true;
  const count = first.run.restore?.count ?? 0;
  return count === run.resumeCount ? first.continues === run.temporalRunId : count > run.resumeCount;
}

/** Whether an execution is none of the run's own: Temporal's own reset has made it, and a restore takes its place. */
export function isStray(run: RunRow, execution: string, first: Told | undefined): boolean {
  if (speaksNext(run, execution, first) || first?.type !== "run.created") return false;
  return (first.run.restore?.count ?? 0) === run.resumeCount;
}

/** Whether this fact speaks for the run: the API's own, and those of the latest execution. */
export function speaksForRun(run: RunRow, fact: Told): boolean {
  return fact.seq === undefined || fact.execution === run.temporalRunId;
}

export function setStatus(rows: RunRows, fact: Told<"run.status">): void {
  const { run } = rows;
  if (fact.seq === undefined) {
    if (isFinished(run.status)) return;
    run.pendingRequest = fact.request ?? null;
    run.pendingAt = new Date(fact.at);
  } else {
    if (!speaksForRun(run, fact) || fact.seq < run.statusSeq) return;
    // What was told before the run heard of the request does not undo what the API has answered.
    const confirms = fact.request === run.pendingRequest || fact.status === run.status;
    const later = run.pendingAt !== null && new Date(fact.at) > run.pendingAt;
    if (run.pendingRequest !== null && !confirms && !later) return;
    awaitNothing(run);
    run.statusSeq = fact.seq;
  }

  const at = new Date(fact.at);
  if (isFinished(run.status) && !isFinished(fact.status)) reopen(run);
  run.status = fact.status;
  run.waitingFor = fact.waiting_for;
  run.pausedAt = fact.status === "paused" ? at : null;
  if (fact.status === "running") run.startedAt ??= at;
  if (fact.status === "cancelled") run.cancelledAt = at;
  touch(rows, run, at);
}

export function awaitNothing(run: RunRow): void {
  run.pendingRequest = null;
  run.pendingAt = null;
}

export function reopen(run: RunRow): void {
  run.output = null;
  run.error = null;
  run.completedAt = null;
  run.cancelledAt = null;
}

export function finish(rows: RunRows, fact: Told<"run.finished">): void {
  const { run } = rows;
  const seq = fact.seq ?? SETTLED;
  if (!speaksForRun(run, fact) || (seq < run.statusSeq && run.statusSeq !== SETTLED)) return;

  const at = new Date(fact.at);
  run.status = fact.status;
  run.statusSeq = seq;
  awaitNothing(run);
  run.output = fact.output;
  run.error = fact.error;
  run.waitingFor = null;
  run.pausedAt = null;
  run.completedAt = run.startedAt && run.startedAt > at ? run.startedAt : at;
  run.cancelledAt = fact.status === "cancelled" ? run.completedAt : null;
  if (fact.status === "completed") run.currentWorkflowStepId = null;
  touch(rows, run, at);
}

export function setGit(rows: RunRows, fact: Told<"run.git">): void {
  const { run } = rows;
  if (!speaksForRun(run, fact)) return;
  run.branchName = fact.branch_name ?? run.branchName;
  run.commitSha = fact.commit_sha ?? run.commitSha;
  if (fact.pr_url !== undefined) {
    run.prUrl = fact.pr_url;
    const [, owner, name, number] = /([^/]+)\/([^/]+)\/pull\/(\d{1,9})$/.exec(fact.pr_url) ?? [];
    run.repoOwner = owner ?? run.repoOwner;
    run.repoName = name ?? run.repoName;
    run.prNumber = number === undefined ? run.prNumber : Number(number);
  }
  touch(rows, run, new Date(fact.at));
}
