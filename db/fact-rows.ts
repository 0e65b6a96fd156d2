import type { AcceptedFact, Fact, FactBody } from "../contract/fact.js";
import type { LogChunk } from "../contract/log.js";
import type * as schema from "./schema.js";

export type RunRow = typeof schema.runs.$inferSelect;
export type StepRow = typeof schema.steps.$inferSelect;
export type AttemptRow = typeof schema.stepAttempts.$inferSelect;
export type SessionRow = typeof schema.agentSessions.$inferSelect;
export type ToolCallRow = typeof schema.toolCalls.$inferSelect;
export type ApprovalAnswerRow = typeof schema.approvalAnswers.$inferSelect;
export type CommentRow = typeof schema.comments.$inferSelect;
export type ArtifactRow = typeof schema.artifacts.$inferSelect;
export type CheckpointRow = typeof schema.checkpoints.$inferSelect;

/** A fact told by a run, or one that the API tells of itself (no execution, no seq). */
export type Told<Type extends FactBody["type"] = FactBody["type"]> = Extract<FactBody, { type: Type }> & {
  run_id: string;
  at: string;
  execution?: string;
  seq?: number;
};

/**
 * Rows of one run in memory. Facts change them; what was changed is in `changed`, and is written as a whole
 * afterwards. There are all open steps in it, and of all else what the facts at hand speak of.
 */
export interface RunRows {
  run: RunRow;
  /** The run's columns as the database has them, of those that it has. */
  stored: Partial<RunRow>;
  steps: Map<string, StepRow>;
  /** By step id and number: `attemptKey`. */
  attempts: Map<string, AttemptRow>;
  sessions: Map<string, SessionRow>;
  toolCalls: Map<string, ToolCallRow>;
  answers: Map<string, ApprovalAnswerRow>;
  comments: Map<string, CommentRow>;
  artifacts: Map<string, ArtifactRow>;
  checkpoints: Map<string, CheckpointRow>;
  /** Users that exist, of those that are named. */
  users: Set<string>;
  changed: Set<object>;
  logChunks: LogChunk[];
  forgeries: { at: Date; what: string }[];
  /** What a fact has ended that has told no end of its own. */
  ended: { steps: StepRow[]; sessions: SessionRow[] };
}

export function rowsOf(run: RunRow): RunRows {
  return {
    run,
    stored: { ...run },
    steps: new Map(),
    attempts: new Map(),
    sessions: new Map(),
    toolCalls: new Map(),
    answers: new Map(),
    comments: new Map(),
    artifacts: new Map(),
    checkpoints: new Map(),
    users: new Set(),
    changed: new Set(),
    logChunks: [],
    forgeries: [],
    ended: { steps: [], sessions: [] },
  };
}

export function attemptKey(stepId: string, number: number): string {
  return `${stepId}#${number}`;
}

/** A row that was made or changed at this time. */
export function touch(rows: RunRows, row: object & { updatedAt?: Date }, at: Date): void {
  if (row.updatedAt && row.updatedAt < at) row.updatedAt = at;
  rows.changed.add(row);
}

/** The id if its row exists, else null: what a run says of unknown things must not stop its narration. */
export function known(id: string | null, rows: { has(id: string): boolean }): string | null {
  return id !== null && rows.has(id) ? id : null;
}

export function isNarrated(fact: Fact | AcceptedFact | Told): fact is Fact {
  return "seq" in fact && fact.seq !== undefined;
}
