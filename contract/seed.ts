import type { TreeRef } from "./fact.js";
import type { Json, JsonObject } from "./json.js";
import type { StepError } from "./step.js";

/** Where a run begins that goes on from another one: what had ended there is not done again. */
export interface Seed {
  run_id: string;
  /** Steps of that run with a lower number that had ended are taken as they ended. */
  before: number;
  /** Outputs that count instead of what those steps gave, by step number. */
  outputs?: Record<string, Json>;
}

/** A step as it ended in the run that a run goes on from. */
export interface SeededStep {
  number: number;
  key: string;
  iteration: number;
  status: "completed" | "failed";
  attempt: number;
  output: Json;
  error: StepError | null;
  started_at: string;
  completed_at: string;
  tree: TreeRef | null;
  /** The run's state when it had ended, of a function, which may have set it. */
  state?: JsonObject;
}

export interface SeedRequest {
  seed: Seed;
  /** How many of its steps have been read. */
  from: number;
}

/** Some of a seed's steps, in the order in which they ended. */
export interface SeedPage {
  steps: SeededStep[];
  /** How many steps have been read with these; null when there are no more. */
  next: number | null;
}
