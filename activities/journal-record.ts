import type { FailureDetail, Outcome } from "../contract/activity.js";

/** What names one activity of Temporal, whichever attempt. */
export interface JournalKey {
  workflow_id: string;
  /** Temporal's run id: after a reset the activity ids begin anew. */
  execution: string;
  activity_id: string;
}

/** Written before an effect: someone is about to act. */
export interface OpenRecord {
  kind: "open";
  run_id: string;
  key: JournalKey;
  step_id: string;
  /** Temporal's attempt, from 1. */
  attempt: number;
  /** Temporal's task token, base64: whoever has it may settle the activity. */
  token: string;
  started_at: string;
}

export interface RecordedFailure {
  type: string;
  message: string;
  detail: FailureDetail;
}

export type RecordedResult = { outcome: Outcome<unknown> } | { failure: RecordedFailure };

/** Written after an effect, before anyone is told of it. Already masked. */
export interface CloseRecord {
  kind: "close";
  run_id: string;
  key: JournalKey;
  attempt: number;
  closed_at: string;
  result: RecordedResult;
}

export type JournalRecord = OpenRecord | CloseRecord;

/** Executions that records tell of, each with its run's id. */
export type Executions = Map<string, string>;

export function nameOf({ workflow_id, execution, activity_id }: JournalKey): string {
  return `${workflow_id}/${execution}/${activity_id}`;
}

/** Begins with the run and its execution: whose a line is can be told without parsing it. */
export function lineOf({ run_id, key, ...more }: JournalRecord): string {
  const { execution, workflow_id, activity_id } = key;
  return JSON.stringify({ run_id, key: { execution, workflow_id, activity_id }, ...more });
}

const BEGINNING = /^\{"run_id":"([^"]+)","key":\{"execution":"([^"]*)"/;

export function executionsIn(text: string): Executions {
  const found: Executions = new Map();
  for (const [, runId = "", execution = ""] of text.matchAll(new RegExp(BEGINNING, "gm"))) found.set(execution, runId);
  return found;
}

/** What a file tells of these executions. A last line that was cut off by a crash, or any other that cannot be read, is left out. */
export function recordsIn(text: string, executions: { has(execution: string): boolean }): JournalRecord[] {
  return text.split("\n").flatMap((line) => {
    const execution = BEGINNING.exec(line)?.[2];
    if (execution === undefined || !executions.has(execution)) return [];
    try {
      return [JSON.parse(line) as JournalRecord]; // our own file: nobody else writes here
    } catch {
      return [];
    }
  });
}
