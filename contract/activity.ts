import type { AgentSessionRow, ToolCallRow } from "./agent-session.js";
import type { ArtifactRow } from "./artifact.js";
import type { StepRef, TreeRef } from "./fact.js";
import type { JsonObject } from "./json.js";
import type { WorkspaceSpec } from "./run-spec.js";

/** What an activity must know of the run it works for. */
export interface RunRef {
  run_id: string;
  project_id: string;
  project_path: string;
  workspace: WorkspaceSpec;
}

/** The argument of every activity that does something for a step. */
export interface Call<Input> {
  run: RunRef;
  step: StepRef;
  /** The step's attempt as the engine counts it, from 1; lost workers' attempts are added by the activity. */
  attempt: number;
  /** Temporal may not run this again when its outcome is unknown: it fails as `outcome_unknown`. */
  noRetry?: boolean;
  /** Milliseconds; 0 or absent = none. */
  timeoutMs?: number;
  idleTimeoutMs?: number;
  /** JSON schema that the value must fit. */
  output_schema?: JsonObject;
  /** Names of the project's secrets that the step's processes get as environment variables; the values are nowhere but there. */
  secrets?: string[];
  input: Input;
}

/** An attempt that ended with its worker; it may have acted. */
export interface LostAttempt {
  started_at: string;
  lost_at: string;
}

/** What every activity leaves besides its value. Times are the activity's own clock. */
export interface Trace {
  started_at: string;
  completed_at: string;
  lost: LostAttempt[];
  tree?: TreeRef | undefined;
  artifacts?: ArtifactRow[] | undefined;
  sessions?: AgentSessionRow[] | undefined;
  tool_calls?: ToolCallRow[] | undefined;
}

export interface Outcome<Value> extends Trace {
  value: Value;
}

/**
 * The first detail of every ApplicationFailure an activity throws. `output` is what there was to keep
 * (a shell's exit code and tail, an agent's answer).
 */
export interface FailureDetail extends Trace {
  output?: unknown;
}
