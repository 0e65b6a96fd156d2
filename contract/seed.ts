import type { ApprovalAnswer } from "./approval.js";
import type { StepRef, TreeRef } from "./fact.js";
import type { Json, JsonObject } from "./json.js";
import type { WaitingFor } from "./run.js";
import type { StepError } from "./step.js";

/** Where a run begins that goes on from another one: what had ended there is not done again. */
export interface Seed {
  run_id: string;
  /** Steps of that run with a lower number that had ended are taken as they ended. */
  before: number;
  /** Outputs that count instead of what those steps gave, by step number. */
  outputs?: Record<string, Json>;
  /** Set in trials alone: all that is taken, in the order in which it ended. Nothing is read, no timer is waited for. */
  tried?: SeededStep[];
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

/**
 * What a run has done so far, for an execution of the same run that carries its program out from the beginning: nothing of it is done
 * again, and nothing is told again.
 */
export interface Done {
  /**
   * Numbers of the steps that have ended, in the order in which the program was given what they gave; among them, below 0, those of its
   * looks at the tree.
   */
  order: number[];
  /** When it was given each, in milliseconds after the one before; the first after `began`. Left out: as the steps' rows say. */
  times?: number[];
  /** When the program began, in milliseconds since 1970. */
  began: number;
  /** Numbers of the functions that have set the run's state. Left out: each may have. */
  setters?: number[];
  /** How often the program has told something besides its steps. Left out: all that it tells before the last of `order` has been told. */
  asides?: number;
  /** What its looks at the tree gave, by number, the first at 0. Left out: it looks again. */
  looks?: Look[];
  /** Steps that wait, and go on waiting. @default none */
  waits?: OpenWait[];
}

/** What a look at the run's tree gave, or how it failed. */
export type Look = { value: Json } | { error: StepError; output?: Json } | { cancelled: true };

/** A step that has begun to wait for somebody, or for a time. */
export interface OpenWait {
  step: StepRef;
  attempt: number;
  /** When this try began. */
  began: string;
  waiting_for: WaitingFor;
  /** It has come, and the step has not gone on. */
  answer?: ApprovalAnswer;
  /** How much people have said to it. @default nothing */
  said?: number;
}

/** A step of the run itself, as it ended. */
export interface DoneStep {
  number: number;
  key: string;
  iteration: number;
  status: "completed" | "failed" | "cancelled" | "skipped";
  /** When, in milliseconds since 1970. */
  at: number;
  output: Json;
  error: StepError | null;
  /** The run's state when it had ended, of a function that may have set it. */
  state?: JsonObject;
}

export interface DoneRequest {
  run_id: string;
  /** Steps by number, in the order in which they are wanted. */
  numbers: number[];
  /** Numbers of those whose state is wanted. Left out: of all functions. */
  setters?: number[];
}
