import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { FailureDetail, Outcome } from "../contract/activity.js";
import { Id } from "../contract/id.js";
import { JournalFile } from "./journal-file.js";
import { isAlive, type ProcessOwner, thisProcess } from "./process-owner.js";

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
  key: JournalKey;
  run_id: string;
  step_id: string;
  /** Temporal's attempt, from 1. */
  attempt: number;
  /** Temporal's task token, base64: whoever has it may settle the activity. */
  token: string;
  owner: ProcessOwner;
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
  key: JournalKey;
  attempt: number;
  closed_at: string;
  result: RecordedResult;
}

/** What earlier attempts at the same activity left. */
export interface Opening {
  record: OpenRecord;
  /** The outcome of an earlier attempt: nothing may be done again. */
  recorded: RecordedResult | undefined;
  /** Earlier attempts without an outcome; they may have acted. */
  lost: OpenRecord[];
}

/** An operation that a dead process had begun. */
export interface Abandoned {
  open: OpenRecord;
  recorded: RecordedResult | undefined;
  closed_at: string | undefined;
}

export interface AbandonedFile {
  run_id: string;
  file: string;
  /** The dead process. */
  owner: ProcessOwner;
  /** Ids of all steps that it has begun. */
  steps: string[];
  operations: Abandoned[];
}

/** A later attempt has begun: what this one did is not to be recorded or reported. */
export class SupersededError extends Error {
  override readonly name = "SupersededError";

  constructor(key: JournalKey, attempt: number) {
    super(`Attempt ${attempt} at activity ${key.activity_id} of ${key.workflow_id} was overtaken by a later one.`);
  }
}

const KEPT_OPEN = 64;
/** Outcomes recorded longer than this before their owner's last word have long been reported. */
const UNREPORTED_MS = 60_000;
const SETTLED = ".settled.jsonl";

/**
 * What this host has begun and finished, on its own disk: one file for each run and owner process,
 * `<folder>/<run id>/<pid>-<start>.jsonl`, appended and synced. It lets a repeated activity give back
 * what the first one did, and lets a new worker settle what a dead one left.
 */
export class Journal {
  private readonly owner = thisProcess();
  private readonly files = new Map<string, JournalFile>();
  private readonly newest = new Map<string, number>();

  constructor(private readonly folder: string) {}

  /**
   * Look up earlier attempts, then write that this one begins. When an outcome is there, nothing is written.
   * Temporal never gives out attempt 1 twice, so the first attempt reads nothing.
   */
  async open(runId: string, stepId: string, key: JournalKey, attempt: number, token: string): Promise<Opening> {
    const record: OpenRecord = {
      kind: "open",
      key,
      run_id: runId,
      step_id: stepId,
      attempt,
      token,
      owner: this.owner,
      started_at: new Date().toISOString(),
    };
    const earlier = attempt > 1 ? await undisturbed(() => this.read(runId, key)) : { opens: [], close: undefined };
    if (earlier.close) return { record, recorded: earlier.close.result, lost: [] };

    const name = nameOf(key);
    if (Math.max(this.newest.get(name) ?? 0, ...earlier.opens.map((open) => open.attempt)) > attempt) {
      throw new SupersededError(key, attempt);
    }
    this.newest.set(name, attempt);
    await this.append(runId, record);
    const lost = earlier.opens.filter((open) => open.attempt < attempt);
    return { record, recorded: undefined, lost: lost.sort((a, b) => a.attempt - b.attempt) };
  }

  /** @throws {SupersededError} when a later attempt has begun, here or in another process of this host. */
  async close(record: OpenRecord, result: RecordedResult): Promise<void> {
    const name = nameOf(record.key);
    const newest = Math.max(this.newest.get(name) ?? 0, await undisturbed(() => this.newestElsewhere(record)));
    if (newest > record.attempt) throw new SupersededError(record.key, record.attempt);

    const { key, attempt } = record;
    await this.append(record.run_id, { kind: "close", key, attempt, closed_at: new Date().toISOString(), result });
    this.newest.delete(name);
  }

  /** The attempt ends without a word on its outcome: whoever comes next counts it as lost. */
  abandon(record: OpenRecord): void {
    const name = nameOf(record.key);
    if (this.newest.get(name) === record.attempt) this.newest.delete(name);
  }

  /** What dead processes of this host left and nobody has looked at. */
  async abandoned(): Promise<AbandonedFile[]> {
    const left: AbandonedFile[] = [];
    for (const runId of await list(this.folder)) {
      for (const name of await list(join(this.folder, runId))) {
        if (!name.endsWith(".jsonl") || name.endsWith(SETTLED)) continue;
        const file = join(this.folder, runId, name);
        const records = await readRecords(file);
        const owner = records.find((record) => record.kind === "open")?.owner ?? this.ownerNamed(name);
        if (isAlive(owner)) continue;
        const steps = new Set(records.flatMap((record) => (record.kind === "open" ? [record.step_id] : [])));
        const operations = unsettled(records, (await stat(file)).mtimeMs);
        left.push({ run_id: runId, file, owner, steps: [...steps], operations });
      }
    }
    return left;
  }

  /** What the file told was settled; its outcomes stay readable. */
  async settled({ file }: AbandonedFile): Promise<void> {
    await rename(file, file.replace(/\.jsonl$/, SETTLED));
  }

  /** Remove what is known of a run. For runs that are closed and archived. */
  async forget(runId: string): Promise<void> {
    const file = this.files.get(runId);
    this.files.delete(runId);
    await file?.close();
    await rm(this.folderOf(runId), { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    const files = [...this.files.values()];
    this.files.clear();
    await Promise.all(files.map((file) => file.close()));
  }

  private async append(runId: string, record: OpenRecord | CloseRecord): Promise<void> {
    const file = this.files.get(runId) ?? new JournalFile(join(this.folderOf(runId), this.ownName));
    this.files.delete(runId);
    this.files.set(runId, file);
    const written = file.append(JSON.stringify(record));
    for (const [run, other] of this.files) {
      if (this.files.size <= KEPT_OPEN) break;
      if (other.busy) continue;
      this.files.delete(run);
      void other.close();
    }
    await written;
  }

  private async read(runId: string, key: JournalKey): Promise<{ opens: OpenRecord[]; close: CloseRecord | undefined }> {
    const opens: OpenRecord[] = [];
    let close: CloseRecord | undefined;
    for (const name of await list(this.folderOf(runId))) {
      for (const record of await readRecords(join(this.folderOf(runId), name))) {
        if (nameOf(record.key) !== nameOf(key)) continue;
        if (record.kind === "open") opens.push(record);
        else if (!close || record.attempt > close.attempt) close = record;
      }
    }
    return { opens, close };
  }

  /** The highest attempt at the same activity that another process has begun since. */
  private async newestElsewhere({ run_id, key, started_at }: OpenRecord): Promise<number> {
    let newest = 0;
    for (const name of await list(this.folderOf(run_id))) {
      const file = join(this.folderOf(run_id), name);
      if (name === this.ownName || (await stat(file)).mtimeMs < Date.parse(started_at) - 1000) continue;
      for (const record of await readRecords(file)) {
        if (record.kind === "open" && nameOf(record.key) === nameOf(key)) newest = Math.max(newest, record.attempt);
      }
    }
    return newest;
  }

  private ownerNamed(file: string): ProcessOwner {
    const [pid = "", started = ""] = file.replace(/\.jsonl$/, "").split("-");
    return { pid: Number(pid), started, host: this.owner.host };
  }

  private get ownName(): string {
    return `${this.owner.pid}-${this.owner.started}.jsonl`;
  }

  private folderOf(runId: string): string {
    return join(this.folder, Id.parse(runId));
  }
}

export function nameOf({ workflow_id, execution, activity_id }: JournalKey): string {
  return `${workflow_id}/${execution}/${activity_id}`;
}

const TRIES = 10;

/** Look at files of which one may be renamed meanwhile (`settled`): then once more, for its records are under another name. */
async function undisturbed<Found>(look: () => Promise<Found>): Promise<Found> {
  for (let tries = 1; ; tries++) {
    try {
      return await look();
    } catch (error) {
      const renamed = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!renamed || tries >= TRIES) throw error;
    }
  }
}

/** A file's records; a last line that was cut off by a crash, or any other that cannot be read, is left out. */
async function readRecords(file: string): Promise<(OpenRecord | CloseRecord)[]> {
  const text = await readFile(file, "utf8");
  return text.split("\n").flatMap((line) => {
    if (line === "") return [];
    try {
      return [JSON.parse(line) as OpenRecord | CloseRecord]; // our own file: nobody else writes here
    } catch {
      return [];
    }
  });
}

function unsettled(records: (OpenRecord | CloseRecord)[], lastWord: number): Abandoned[] {
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
  return [...operations.values()].filter(({ closed_at }) => !closed_at || Date.parse(closed_at) > lastWord - UNREPORTED_MS);
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
