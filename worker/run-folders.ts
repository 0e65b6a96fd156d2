import type { Logger } from "pino";
import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { writeRunFiles } from "../db/run-files.js";

/** A run's files are written once it has told nothing for this long, … */
const QUIET_MS = 1_000;
/** … and the worker is not busy with many others; at the latest after this time: its steps do not wait for files. */
const BEHIND_MS = 30_000;

export interface RunFoldersOptions {
  db: Database;
  log: Logger;
  /** Many runs are busy: files can wait. */
  isBusy: () => boolean;
}

interface Due {
  lines: Fact[];
  since: number;
  timer: NodeJS.Timeout;
}

/** Keeps the folders of runs in step with what is written about them, a little behind: a burst of facts is one visit. */
export class RunFolders {
  private readonly due = new Map<string, Due>();
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly options: RunFoldersOptions) {}

  /** These facts are in the database now. */
  written(runId: string, facts: readonly Fact[]): void {
    const { lines, since, timer } = this.due.get(runId) ?? { lines: [], since: Date.now() };
    clearTimeout(timer);
    this.wait(runId, { lines: [...lines, ...facts.filter(({ type }) => type === "log")], since });
  }

  /** Resolves when everything told so far is in its folder, or could not be written there. */
  flush(): Promise<void> {
    for (const runId of this.due.keys()) this.visit(runId);
    return this.writing;
  }

  private wait(runId: string, due: Omit<Due, "timer">): void {
    const left = due.since + BEHIND_MS - Date.now();
    const onTime = () => {
      if (left > QUIET_MS && this.options.isBusy()) this.wait(runId, due);
      else this.visit(runId);
    };
    this.due.set(runId, { ...due, timer: setTimeout(onTime, Math.max(0, Math.min(QUIET_MS, left))) });
  }

  private visit(runId: string): void {
    const due = this.due.get(runId);
    if (!due) return;
    clearTimeout(due.timer);
    this.due.delete(runId);
    const { db, log } = this.options;
    this.writing = this.writing.then(() =>
      writeRunFiles(db, runId, due.lines).catch((error: unknown) => {
        log.warn({ run: runId, error: String(error) }, "the run's folder is behind; it is brought up with the next fact");
      }),
    );
  }
}
