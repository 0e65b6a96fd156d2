import type { Budget, CountedUsage } from "./budget.js";
import type { DecidedPermit, PermitQuery } from "./permit.js";

/** Why an agent's turn ended before its work was done: it is gone on with in the same session when what it lacks is there. */
export type Halt =
  /** The provider answers nobody of this account until then. */
  | {
      why: "limit";
      until: string;
      message: string;
      /** It is the limit of the model that was asked; the account's others answer. */
      of_model?: boolean;
    }
  /** A person has to allow something, or to answer a question. */
  | { why: "permission"; permit: PermitQuery; message: string }
  /** A budget is spent, and a person may let as much again be spent. `key` names the claim. */
  | { why: "budget"; key: string; budget: Budget; message: string };

/** What the next round of a halted turn has to know of those before. */
export interface RoundsBefore {
  /** The first round's: session, tree and usage are looked up by it. */
  lineage: string;
  /** Tool calls that were told already. */
  tool_calls: number;
  /** Milliseconds that the agent was at work. */
  worked_ms: number;
  /** Of the whole turn so far. Left out: the agent was not started yet. */
  usage?: CountedUsage;
  /** What people have decided for this turn, in order. @default none */
  permits?: DecidedPermit[];
  /** The round before was stopped in the middle, since the run was paused. @default false */
  stopped?: boolean;
  /** Somebody wants it tried now, whatever is known of the account's limit. @default false */
  despite_limit?: boolean;
}

/** What a round gives that ended by a halt. */
export interface Halted {
  halt: Halt;
  before: RoundsBefore;
}
