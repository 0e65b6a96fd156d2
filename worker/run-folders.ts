import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { appendEventFile } from "../db/event-file.js";
import { projectPathOf } from "../db/executions.js";

/** Keeps the folders of runs in step with what is written about them. */
export class RunFolders {
  private readonly projects = new Map<string, string>();

  constructor(private readonly db: Database) {}

  async write(runId: string, facts: readonly Fact[]): Promise<void> {
    const project = this.projects.get(runId) ?? (await projectPathOf(this.db, runId));
    if (!project) return; // deleted meanwhile
    this.projects.set(runId, project);
    if (facts.length > 0) await appendEventFile(this.db, project, runId);
  }

  forget(runId: string): void {
    this.projects.delete(runId);
  }
}
