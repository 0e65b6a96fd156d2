import type { PanelStrategy } from "../contract/panel.js";
import type { Agent } from "./agents.js";
import type { AgentOptions, AgentResult } from "./context.js";

/** One of several agents that are asked the same. What is said here beats what is said for all. */
export interface PanelMember {
  /** Left out: as the file of its role says, else claude. */
  provider?: Agent["provider"] | undefined;
  /** By which its answer and its step, `<name of the panel>.<name>`, are found. @default its provider's, else its role */
  name?: string | undefined;
  role?: string | undefined;
  model?: string | undefined;
}

export interface PanelOptions extends Omit<AgentOptions, "session" | "permission"> {
  /** Two to ten, no two of one name. */
  providers: readonly (Agent["provider"] | PanelMember)[];
  /**
   * `all`: every answer is needed. `race`: the first is taken, and the other agents are stopped. `majority`: the one that more
   * than half of all agents give is taken, as soon as it is there.
   *
   * @default "all"
   */
  strategy?: PanelStrategy;
  /** Of a majority: the fields of the answer that are compared. @default the whole answer: `data`, else the JSON object that the text ends with, else the text */
  agreeOn?: string | readonly string[];
  /** They share one tree, and may only read. */
  permission?: "plan";
}

/** The answers of a panel of which all are needed, by name. */
export type PanelAnswers = Record<string, AgentResult>;

/** The answer that a panel has come to. */
export interface PanelAnswer extends AgentResult {
  /** Whose answer it is: of those that agree, the first. */
  winner: string;
  /** Who gave this answer by then, the winner first. */
  agreed: string[];
}
