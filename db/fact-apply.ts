import { keepAnswer, keepDelegation } from "./fact-approval.js";
import {
  addArtifact,
  addComment,
  attachArtifact,
  keepCheckpoint,
  keepLogLine,
  keepSession,
  keepToolCall,
  labelCheckpoint,
} from "./fact-record.js";
import { restoreRun } from "./fact-restore.js";
import { type RunRows, type Told, touch } from "./fact-rows.js";
import { finish, setGit, setStatus, speaksForRun } from "./fact-run.js";
import { failAttempt, finishStep, resumeStep, startStep, waitInStep } from "./fact-step.js";

/**
 * Let a fact change the rows. Pure: nothing but `rows` is read or changed.
 *
 * @param again it was told before, with other content: its rows change, its log lines are not written twice.
 */
export function applyToRows(rows: RunRows, fact: Told, { again = false } = {}): void {
  const { run } = rows;
  switch (fact.type) {
    case "run.created":
    case "run.continued":
      break;
    case "run.status":
      setStatus(rows, fact);
      break;
    case "run.phase":
      if (!speaksForRun(run, fact)) break;
      run.currentPhase = fact.phase;
      touch(rows, run, new Date(fact.at));
      break;
    case "run.git":
      setGit(rows, fact);
      break;
    case "run.state":
      if (!speaksForRun(run, fact)) break;
      run.state = fact.state;
      touch(rows, run, new Date(fact.at));
      break;
    case "run.restored":
      restoreRun(rows, fact);
      break;
    case "run.finished":
      finish(rows, fact);
      break;
    case "step.started":
      startStep(rows, fact);
      break;
    case "step.waiting":
      waitInStep(rows, fact);
      break;
    case "step.resumed":
      resumeStep(rows, fact);
      break;
    case "approval.answered":
      keepAnswer(rows, fact);
      break;
    case "approval.delegated":
      keepDelegation(rows, fact);
      break;
    case "approval.reminded":
      break;
    case "step.attempt":
      failAttempt(rows, fact);
      break;
    case "step.finished":
      finishStep(rows, fact);
      break;
    case "checkpoint.created":
      keepCheckpoint(rows, fact);
      break;
    case "checkpoint.labelled":
      labelCheckpoint(rows, fact);
      break;
    case "comment.created":
      addComment(rows, fact, again);
      break;
    case "artifact.created":
      addArtifact(rows, fact, again);
      break;
    case "artifact.attached":
      attachArtifact(rows, fact);
      break;
    case "session.updated":
      keepSession(rows, fact);
      break;
    case "tool_call.recorded":
      keepToolCall(rows, fact);
      break;
    case "log":
      keepLogLine(rows, fact, again);
      break;
    case "forgery.refused":
      if (!again) rows.forgeries.push({ at: new Date(fact.at), what: fact.what });
      break;
  }
}
