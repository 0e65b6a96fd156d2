import { statSync } from "node:fs";
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type AbandonedProcess, abandonedBy } from "./abandoned.js";
import { JournalFile } from "./journal-file.js";
import { byProcess, newStem, parseName, type SegmentName, settledFile, unsettledFile } from "./journal-name.js";
import { type Executions, executionsIn, type JournalRecord, lineOf, recordsIn } from "./journal-record.js";
import { isAlive, type ProcessOwner } from "./process-owner.js";

/** A file that this process appends to, or whose own process is dead. */
interface Segment {
  /** What it tells of and is not forgotten. The file goes with the last of them. */
  executions: Executions;
  /** Of this process. */
  file?: JournalFile;
  /** When its dead process wrote last, in milliseconds. */
  lastWord?: number;
}

/** Two changes of a folder that are further apart than this show different times. */
const SAME_TIME_MS = 3_000;

/**
 * A journal's files, `<folder>/<pid>-<start>@<host>.<n>.jsonl`. A process appends the records of all its runs to its last one, and begins
 * the next when that is full. What each file tells of is kept in memory, so that an execution is forgotten without reading; a file
 * of a dead process, which cannot change, is read for it once.
 */
export class JournalSegments {
  private readonly segments = new Map<string, Segment>();
  private live: { stem: string; file: JournalFile; executions: Executions } | undefined;
  private surveyed: Promise<void> | undefined;
  private listed: { changed: number; names: SegmentName[] } | undefined;

  constructor(
    private readonly folder: string,
    private readonly owner: ProcessOwner,
    private readonly segmentBytes: number,
  ) {}

  append(record: JournalRecord): void {
    if (this.live && this.live.file.size >= this.segmentBytes) {
      void this.live.file.close();
      this.live = undefined;
    }
    this.live ??= this.begin();
    this.live.executions.set(record.key.execution, record.run_id);
    this.live.file.append(lineOf(record));
  }

  /** Whether this process has written of the execution and not forgotten it. */
  hasOwn(execution: string): boolean {
    return [...this.segments.values()].some(({ file, executions }) => file && executions.has(execution));
  }

  /** What all processes of this host have written of an execution. */
  recordsOf(execution: string): Promise<JournalRecord[]> {
    return this.read(execution, () => true);
  }

  /** What other processes have written of an execution, in files that they have written to since. */
  recordsElsewhere(execution: string, since: number): Promise<JournalRecord[]> {
    return this.read(execution, async (name) => {
      const segment = this.segments.get(name.stem);
      return !segment?.file && (segment?.lastWord ?? (await this.lastWordOf(name))) >= since;
    });
  }

  /** What is not forgotten, but for files of other processes that live. */
  async executions(): Promise<Executions> {
    await this.known();
    return new Map([...this.segments.values()].flatMap(({ executions }) => [...executions]));
  }

  async forget(execution: string): Promise<void> {
    await this.known();
    for (const [stem, { executions }] of this.segments) {
      if (executions.delete(execution) && executions.size === 0) await this.remove(stem);
    }
  }

  /** What dead processes of this host left and nobody has settled. */
  abandoned(): Promise<AbandonedProcess[]> {
    return undisturbed(async () => {
      await this.survey();
      const left: AbandonedProcess[] = [];
      for (const names of byProcess(await this.names())) {
        const records: JournalRecord[] = [];
        const stems: string[] = [];
        let lastWord = 0;
        for (const name of names) {
          const segment = this.segments.get(name.stem);
          if (name.settled || segment?.lastWord === undefined) continue;
          stems.push(name.stem);
          records.push(...recordsIn(await this.textOf(name), segment.executions));
          lastWord = Math.max(lastWord, segment.lastWord);
        }
        if (stems.length > 0) left.push({ owner: names[0].owner, stems, executions: abandonedBy(records, lastWord) });
      }
      return left;
    });
  }

  /** What it left is dealt with; outcomes stay readable. */
  async settled({ stems }: AbandonedProcess): Promise<void> {
    for (const stem of stems) {
      if (this.segments.get(stem)?.executions.size === 0) await this.remove(stem);
      else await rename(join(this.folder, unsettledFile(stem)), join(this.folder, settledFile(stem))).catch(unlessGone);
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.segments.values()].map(({ file }) => file?.close()));
  }

  private begin(): { stem: string; file: JournalFile; executions: Executions } {
    const stem = newStem(this.owner);
    const file = new JournalFile(join(this.folder, unsettledFile(stem)));
    const live = { stem, file, executions: new Map() };
    this.segments.set(stem, live);
    return live;
  }

  private async remove(stem: string): Promise<void> {
    const segment = this.segments.get(stem);
    this.segments.delete(stem);
    if (this.live?.stem === stem) this.live = undefined;
    await segment?.file?.close();
    for (const file of [unsettledFile(stem), settledFile(stem)]) await rm(join(this.folder, file), { force: true });
  }

  private read(execution: string, wanted: (name: SegmentName) => boolean | Promise<boolean>): Promise<JournalRecord[]> {
    return undisturbed(async () => {
      const records: JournalRecord[] = [];
      for (const name of await this.names()) {
        const told = this.segments.get(name.stem)?.executions.has(execution) ?? true;
        if (told && (await wanted(name))) records.push(...recordsIn(await this.textOf(name), new Set([execution])));
      }
      return records;
    });
  }

  private known(): Promise<void> {
    this.surveyed ??= undisturbed(() => this.survey()).catch((error) => {
      this.surveyed = undefined;
      throw error;
    });
    return this.surveyed;
  }

  /** Get to know the files of processes that are dead by now. */
  private async survey(): Promise<void> {
    for (const names of byProcess(await this.names())) {
      const isDead = names.some(({ settled }) => settled) || !isAlive(names[0].owner);
      for (const name of names) {
        if (!isDead || this.segments.has(name.stem)) continue;
        const text = await this.textOf(name);
        this.segments.set(name.stem, { executions: executionsIn(text), lastWord: await this.lastWordOf(name) });
      }
    }
  }

  private async names(): Promise<SegmentName[]> {
    // Asked with every outcome: without a way through the pool of threads.
    const changed = statSync(this.folder, { throwIfNoEntry: false })?.mtimeMs;
    if (changed === undefined) return [];
    if (this.listed?.changed === changed) return this.listed.names;
    const now = Date.now();
    const names = (await readdir(this.folder)).flatMap((file) => parseName(file) ?? []);
    this.listed = now - changed > SAME_TIME_MS ? { changed, names } : undefined;
    return names;
  }

  private textOf({ file }: SegmentName): Promise<string> {
    return readFile(join(this.folder, file), "utf8");
  }

  private async lastWordOf({ file }: SegmentName): Promise<number> {
    return (await stat(join(this.folder, file))).mtimeMs;
  }
}

const TRIES = 10;

/** Look at files of which one may be renamed or removed meanwhile: then once more, for its records are under another name. */
async function undisturbed<Found>(look: () => Promise<Found>): Promise<Found> {
  for (let tries = 1; ; tries++) {
    try {
      return await look();
    } catch (error) {
      if (!isGone(error) || tries >= TRIES) throw error;
    }
  }
}

function unlessGone(error: unknown): undefined {
  if (!isGone(error)) throw error;
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
