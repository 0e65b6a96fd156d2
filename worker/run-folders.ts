import type { Logger } from "pino";
import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { writeRunFiles } from "../db/run-files.js";

/** Files follow the rows by this much: a burst of facts is one visit to the folder. */
const DELAY_MS = 1_000;

/** Keeps the folders of runs in step with what is written about them, a little behind, so that no step waits for files. */
export class RunFolders {
  private readonly due = new Map<string, Fact[]>();
  private writing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly db: Database,
    private readonly log: Logger,
  ) {}

  /** These facts are in the database now. */
  written(runId: string, facts: readonly Fact[]): void {
    const lines = facts.filter(({ type }) => type === "log");
    this.due.set(runId, [...(this.due.get(runId) ?? []), ...lines]);
    this.timer ??= setTimeout(() => void this.flush(), DELAY_MS);
  }

  /** Resolves when everything told so far is in its folder, or could not be written there. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const due = [...this.due];
    this.due.clear();
    this.writing = this.writing.then(async () => {
      for (const [runId, lines] of due) {
        await writeRunFiles(this.db, runId, lines).catch((error: unknown) => {
          this.log.warn({ run: runId, error: String(error) }, "the run's folder is behind; it is brought up with the next fact");
        });
      }
    });
    return this.writing;
  }
}
