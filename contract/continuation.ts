import type { Spent } from "./budget.js";
import type { StepRef } from "./fact.js";
import type { Json, JsonObject } from "./json.js";
import type { EventMessage, Request } from "./messages.js";
import type { RunStatus, WaitingFor } from "./run.js";
import type { Done } from "./seed.js";

/** What a long run hands to its next Temporal execution, so that it goes on there as if nothing had been. */
export interface Continuation {
  engine: EngineState;
  life: LifeState;
  /** Of a plan that goes on where it was. */
  plan?: PlanProgress;
  /** Of a program that is carried out from its beginning: what is not to be done again. Counts of keys and the run's state then follow from it. */
  done?: Done;
}

export interface EngineState {
  /** How many steps, comments and named checkpoints there were. */
  numbers: number;
  comments: number;
  labels: number;
  phase: string | null;
  /** Doings of each key. */
  iterations: Record<string, number>;
  latest: StepRef | null;
  /** The run's own state. */
  state: JsonObject;
  /** Its tree has been made. */
  opened: boolean;
  events: MailboxState;
  /** Rules of what people have allowed agents for the whole run. @default none */
  permits?: string[];
  /** What its agents have spent, and what people have let be spent besides, by claim. */
  budgets?: { spent: Spent; granted: Record<string, number> };
}

/** Events that have come from outside. */
export interface MailboxState {
  /** Those that no step has taken, in the order in which they came. */
  kept: EventMessage[];
  /** Ids of the last ones, taken or not. */
  known: string[];
}

export type PauseHold = "own" | "above";

export interface LifeState {
  /** Of the running time, in milliseconds; 0: no limit. */
  left: number;
  /** Who has paused it: a person, or the run above. */
  held: PauseHold[];
  /** What was told last. */
  status: RunStatus;
  /** What it was told to wait for. */
  told?: WaitingFor | null;
  /** What a person has asked since. */
  asked: Request | null;
}

/** How far a plan has come. */
export interface PlanProgress {
  /** How each step that is over ended, by key: completed, skipped, failed, absent. */
  over: Record<string, string>;
  /** Of the steps that later ones may ask for. */
  outputs: JsonObject;
  vars: JsonObject;
  iteration: number;
  /** Position of a loop's next step. */
  at: number;
  /** Of steps with items, some of which are done: the outputs of those, by index. */
  items: Record<string, Record<string, Json>>;
}
