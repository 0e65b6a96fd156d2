import { Id } from "../contract/id.js";
import type { AbandonedProcess } from "./abandoned.js";
import {
  type CloseRecord,
  type Executions,
  type JournalKey,
  nameOf,
  type OpenRecord,
  type RecordedResult,
} from "./journal-record.js";
import { JournalSegments } from "./journal-segments.js";
import { type ProcessOwner, thisProcess } from "./process-owner.js";

/** What earlier attempts at the same activity left. */
export interface Opening {
  record: OpenRecord;
  /** The outcome of an earlier attempt: nothing may be done again. */
  recorded: RecordedResult | undefined;
  /** Earlier attempts without an outcome; they may have acted. */
  lost: OpenRecord[];
}

/** A later attempt has begun: what this one did is not to be recorded or reported. */
export class SupersededError extends Error {
  override readonly name = "SupersededError";

  constructor(key: JournalKey, attempt: number) {
    super(`Attempt ${attempt} at activity ${key.activity_id} of ${key.workflow_id} was overtaken by a later one.`);
  }
}

export interface JournalOptions {
  /** @default this process */
  owner?: ProcessOwner;
  /** How large a file may become before the next one is begun. @default 1 MiB: other processes of the host may have to read it as they record an outcome */
  segmentBytes?: number;
}

/**
 * What this host has begun and finished, appended to files of its own disk. It lets a repeated activity give back
 * what the first one did, and lets a new worker settle what a dead one left.
 */
export class Journal {
  private readonly segments: JournalSegments;
  private readonly newest = new Map<string, number>();

  constructor(folder: string, { owner = thisProcess(), segmentBytes = 1024 * 1024 }: JournalOptions = {}) {
    this.segments = new JournalSegments(folder, owner, segmentBytes);
  }

  /**
   * Look up earlier attempts, then write that this one begins. When an outcome is there, nothing is written.
   * Temporal never gives out attempt 1 twice, so the first attempt reads nothing.
   */
  async open(runId: string, stepId: string, key: JournalKey, attempt: number, token: string): Promise<Opening> {
    const record: OpenRecord = {
      kind: "open",
      run_id: Id.parse(runId),
      key,
      step_id: stepId,
      attempt,
      token,
      started_at: new Date().toISOString(),
    };
    const earlier = attempt > 1 ? await this.read(key) : { opens: [], close: undefined };
    if (earlier.close) return { record, recorded: earlier.close.result, lost: [] };

    const name = nameOf(key);
    if (Math.max(this.newest.get(name) ?? 0, ...earlier.opens.map((open) => open.attempt)) > attempt) {
      throw new SupersededError(key, attempt);
    }
    this.newest.set(name, attempt);
    this.segments.append(record);
    const lost = earlier.opens.filter((open) => open.attempt < attempt);
    return { record, recorded: undefined, lost: lost.sort((a, b) => a.attempt - b.attempt) };
  }

  /** @throws {SupersededError} when a later attempt has begun, here or in another process of this host. */
  async close(record: OpenRecord, result: RecordedResult): Promise<void> {
    const { run_id, key, attempt } = record;
    const name = nameOf(key);
    const newest = Math.max(this.newest.get(name) ?? 0, await this.newestElsewhere(record));
    if (newest > attempt) throw new SupersededError(key, attempt);

    // What closes after its execution was forgotten would be in its file for ever.
    if (this.segments.hasOwn(key.execution)) {
      this.segments.append({ kind: "close", run_id, key, attempt, closed_at: new Date().toISOString(), result });
    }
    this.newest.delete(name);
  }

  /** The attempt ends without a word on its outcome: whoever comes next counts it as lost. */
  abandon(record: OpenRecord): void {
    const name = nameOf(record.key);
    if (this.newest.get(name) === record.attempt) this.newest.delete(name);
  }

  /** What dead processes of this host left and nobody has looked at. */
  abandoned(): Promise<AbandonedProcess[]> {
    return this.segments.abandoned();
  }

  /** What the process left was settled; its outcomes stay readable. */
  settled(process: AbandonedProcess): Promise<void> {
    return this.segments.settled(process);
  }

  /** Executions that outcomes are kept of, those of dead processes included. */
  executions(): Promise<Executions> {
    return this.segments.executions();
  }

  /** What is known of an execution is not needed any more. For those that are closed and archived. */
  forget(execution: string): Promise<void> {
    return this.segments.forget(execution);
  }

  stop(): Promise<void> {
    return this.segments.stop();
  }

  private async read(key: JournalKey): Promise<{ opens: OpenRecord[]; close: CloseRecord | undefined }> {
    const opens: OpenRecord[] = [];
    let close: CloseRecord | undefined;
    for (const record of await this.segments.recordsOf(key.execution)) {
      if (nameOf(record.key) !== nameOf(key)) continue;
      if (record.kind === "open") opens.push(record);
      else if (!close || record.attempt > close.attempt) close = record;
    }
    return { opens, close };
  }

  /** The highest attempt at the same activity that another process has begun since. */
  private async newestElsewhere({ key, started_at }: OpenRecord): Promise<number> {
    const since = await this.segments.recordsElsewhere(key.execution, Date.parse(started_at) - 1000);
    const opens = since.filter((record) => record.kind === "open" && nameOf(record.key) === nameOf(key));
    return Math.max(0, ...opens.map(({ attempt }) => attempt));
  }
}
