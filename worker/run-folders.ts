import type { Logger } from "pino";
import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { writeRunFiles } from "../db/run-files.js";

/** A run's files are written once it has told nothing for this long, … */
const QUIET_MS = 1_000;
/** … or when one that always has something to tell has been waiting this long: its steps do not wait for files. */
const BEHIND_MS = 30_000;

interface Due {
  lines: Fact[];
  since: number;
  timer: NodeJS.Timeout;
}

/** Keeps the folders of runs in step with what is written about them, a little behind: a burst of facts is one visit. */
export class RunFolders {
  private readonly due = new Map<string, Due>();
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: Database,
    private readonly log: Logger,
  ) {}

  /** These facts are in the database now. */
  written(runId: string, facts: readonly Fact[]): void {
    const { lines, since, timer } = this.due.get(runId) ?? { lines: [], since: Date.now() };
    clearTimeout(timer);
    const wait = Math.max(0, Math.min(QUIET_MS, since + BEHIND_MS - Date.now()));
    this.due.set(runId, {
      lines: [...lines, ...facts.filter(({ type }) => type === "log")],
      since,
      timer: setTimeout(() => this.visit(runId), wait),
    });
  }

  /** Resolves when everything told so far is in its folder, or could not be written there. */
  flush(): Promise<void> {
    for (const runId of this.due.keys()) this.visit(runId);
    return this.writing;
  }

  private visit(runId: string): void {
    const due = this.due.get(runId);
    if (!due) return;
    clearTimeout(due.timer);
    this.due.delete(runId);
    this.writing = this.writing.then(() =>
      writeRunFiles(this.db, runId, due.lines).catch((error: unknown) => {
        this.log.warn({ run: runId, error: String(error) }, "the run's folder is behind; it is brought up with the next fact");
      }),
    );
  }
}
