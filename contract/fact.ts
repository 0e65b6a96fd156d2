import type { AgentSessionRow, ToolCallRow } from "./agent-session.js";
import type { GivenAnswer } from "./approval.js";
import type { ArtifactRow } from "./artifact.js";
import type { CommentType } from "./comment.js";
import type { Json, JsonObject } from "./json.js";
import type { LogLevel } from "./log.js";
import type { Restore } from "./restore.js";
import type { RunError, RunStatus, WaitingFor } from "./run.js";
import type { Program, RunSpec } from "./run-spec.js";
import type { StepError, StepKind, StepStatus } from "./step.js";

/** A step's identity, the same in every fact, activity and row. */
export interface StepRef {
  /** Row id: `<run id>-<number>`. */
  id: string;
  number: number;
  key: string;
  name: string;
  phase: string | null;
  kind: StepKind;
  /** How many steps with this key came before, plus 1. */
  iteration: number;
}

/** The commit that holds a step's whole tree, under `refs/longhaul/<run>/<number>`. */
export interface TreeRef {
  commit: string;
  tree: string;
  /** True when other steps wrote to the same tree meanwhile. */
  shared: boolean;
}

/** What is known of a run without its code. */
export type RunHeader = Omit<RunSpec, "program" | "continued"> & { program: { kind: Program["kind"]; file: string } };

export interface CommentRow {
  id: string;
  run_id: string;
  step_id: string | null;
  text: string;
  comment_type: CommentType;
  metadata: JsonObject;
  created_by: string | null;
}

/** Of the row that keeps what was said to an approval. */
interface AnswerId {
  answer_id: string;
}

export type FactBody =
  /** Told by the API when Temporal has accepted the start, and again as the run's first fact. */
  | { type: "run.created"; run: RunHeader /** The Temporal execution that this one continues. */; continues?: string }
  | {
      type: "run.status";
      status: RunStatus;
      waiting_for: WaitingFor | null /** Set when a person asked: the request's id. */;
      request?: string;
      reason?: string;
    }
  | { type: "run.phase"; phase: string }
  | { type: "run.git"; branch_name?: string; commit_sha?: string; pr_url?: string }
  | { type: "run.state"; state: JsonObject }
  | { type: "run.finished"; status: RunStatus; output: Json; error: RunError | null }
  /** The run goes on in a further Temporal execution: the last that this one tells. */
  | { type: "run.continued" }
  /**
   * The run was taken back and goes on in the Temporal execution `into`. Told by the API when Temporal has accepted it, and again by that
   * execution. `numbers`: how many steps it has had.
   */
  | { type: "run.restored"; restore: Restore; into: string; numbers: number }
  /** `place`: where in the code it begins, in replays that ask for it. */
  | { type: "step.started"; step: StepRef; max_attempts: number; input: Json; place?: { file: string; line: number | null } }
  | { type: "step.waiting"; step_id: string; waiting_for: WaitingFor }
  /** What it waited for is there: it goes on with what it did before. */
  | { type: "step.resumed"; step_id: string }
  /**
   * Somebody has answered; `by` null: the deadline has. `decided`: nobody is asked any more. Of an approval the step's end follows then, with the whole
   * answer as its output. `waiting_for`: else, what is waited for now.
   */
  | ({ type: "approval.answered"; step_id: string; request?: string } & AnswerId &
      Pick<GivenAnswer, "approved" | "by" | "comment" | "fields"> &
      ({ decided: true } | { decided: false; waiting_for: WaitingFor }))
  | ({
      type: "approval.delegated";
      step_id: string;
      by: string;
      to: string;
      comment?: string;
      waiting_for: WaitingFor;
    } & AnswerId)
  /** Counted from 1. */
  | { type: "approval.reminded"; step_id: string; reminder: number }
  /** An attempt that did not succeed. `retry_at` null: the step failed with it. `status` lost: the worker died; stopped: the run was paused. */
  | {
      type: "step.attempt";
      step_id: string;
      attempt: number;
      status: "failed" | "lost" | "stopped";
      error: StepError;
      started_at: string;
      completed_at: string;
      retry_at: string | null;
    }
  | {
      type: "step.finished";
      step_id: string;
      status: StepStatus;
      attempt: number;
      output: Json;
      error: StepError | null;
      started_at: string;
      completed_at: string;
    }
  /** State and context are the run's as told before; what has finished is what the checkpoints before it say. */
  | {
      type: "checkpoint.created";
      id: string;
      step: StepRef;
      label: string | null;
      created_by: "automatic" | "user";
      tree: TreeRef | null;
      /** Set when a person asked for it: the request's id. */
      request?: string;
    }
  /** `label` null: it has none any more. */
  | { type: "checkpoint.labelled"; checkpoint_id: string; label: string | null; request: string }
  | { type: "comment.created"; comment: CommentRow }
  | { type: "artifact.created"; artifact: ArtifactRow }
  /** `comment_id` null: detached. Told by the API alone. */
  | { type: "artifact.attached"; artifact_id: string; comment_id: string | null; request: string }
  | { type: "session.updated"; session: AgentSessionRow }
  | { type: "tool_call.recorded"; call: ToolCallRow }
  | { type: "log"; level: LogLevel; text: string; step_id: string | null; attempt: number }
  /** A start or signal that did not come from Longhaul: an audit row, nothing else. */
  | { type: "forgery.refused"; what: string };

/** One narrated fact. `seq` counts 1.. within a Temporal execution, without a gap. */
export type Fact = FactBody & {
  run_id: string;
  /** The Temporal run id. */
  execution: string;
  seq: number;
  /** Workflow time, or the activity's own time where it knows better. */
  at: string;
};

/**
 * What the API tells of itself about a run, once Temporal has accepted it: not numbered, keyed by the
 * id it chose (`eventKey`), and confirmed by narration under the same key.
 */
export type AcceptedFact = FactBody & { run_id: string; at: string };

/**
 * The key under which a fact's event is kept, unique in its run: facts that the API may tell first are
 * keyed by what they are about, all others by their place in the narration.
 */
export function eventKey(fact: FactBody & { execution?: string; seq?: number }): string {
  switch (fact.type) {
    case "run.created":
      return "created";
    case "run.status":
      if (fact.request) return `status:${fact.request}`;
      break;
    case "checkpoint.created":
      if (fact.request) return `checkpoint:${fact.id}`;
      break;
    case "checkpoint.labelled":
      return `label:${fact.request}`;
    case "run.restored":
      return `restored:${fact.restore.request}`;
    case "comment.created":
      return `comment:${fact.comment.id}`;
    case "artifact.created":
      return `artifact:${fact.artifact.id}`;
    case "artifact.attached":
      return `attach:${fact.request}`;
    case "run.finished":
      return `finished:${fact.execution}`;
  }
  return `${fact.execution}:${fact.seq}`;
}
