import { type JournalRecord, nameOf, type OpenRecord, type RecordedResult } from "./journal-record.js";
import type { ProcessOwner } from "./process-owner.js";

/** An operation that a dead process had begun. */
export interface Abandoned {
  open: OpenRecord;
  recorded: RecordedResult | undefined;
  closed_at: string | undefined;
}

/** What a dead process left of one execution of a run. */
export interface AbandonedExecution {
  run_id: string;
  workflow_id: string;
  execution: string;
  /** Ids of all steps that it has begun. */
  steps: string[];
  operations: Abandoned[];
}

/** What a dead process left, in all its files. */
export interface AbandonedProcess {
  owner: ProcessOwner;
  /** Its files that are not settled, without the end of their names. */
  stems: string[];
  executions: AbandonedExecution[];
}

/** Outcomes recorded longer than this before their owner's last word have long been reported. */
const UNREPORTED_MS = 60_000;

/** @param lastWord when the dead process wrote last, in milliseconds. */
export function abandonedBy(records: readonly JournalRecord[], lastWord: number): AbandonedExecution[] {
  const grouped = new Map<string, [JournalRecord, ...JournalRecord[]]>();
  for (const record of records) {
    const others = grouped.get(record.key.execution);
    if (others) others.push(record);
    else grouped.set(record.key.execution, [record]);
  }
  return [...grouped.values()].map((all) => {
    const { run_id, key } = all[0];
    const steps = new Set(all.flatMap((record) => (record.kind === "open" ? [record.step_id] : [])));
    const operations = operationsOf(all).filter(
      ({ closed_at }) => !closed_at || Date.parse(closed_at) > lastWord - UNREPORTED_MS,
    );
    return { run_id, workflow_id: key.workflow_id, execution: key.execution, steps: [...steps], operations };
  });
}

function operationsOf(records: readonly JournalRecord[]): Abandoned[] {
  const operations = new Map<string, Abandoned>();
  for (const record of records) {
    const name = nameOf(record.key);
    if (record.kind === "open") {
      operations.set(name, { open: record, recorded: undefined, closed_at: undefined });
      continue;
    }
    const opened = operations.get(name);
    if (opened) operations.set(name, { open: opened.open, recorded: record.result, closed_at: record.closed_at });
  }
  return [...operations.values()];
}
