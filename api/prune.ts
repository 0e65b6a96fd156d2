import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Pruned, type PruneReport, type Retention, RetentionKind } from "../contract/retention.js";
import { recordAudit } from "../db/audit.js";
import { deleteRun } from "../db/projection.js";
import { deleteRowsOf, type EndedFilter, type EndedRun, endedRuns, isOver } from "../db/retention.js";
import { runFolder } from "../db/run-folder.js";
import type { ApiContext } from "./context.js";
import { keepSnapshotWork, keepTreeWork } from "./kept-work.js";
import { deleteExecutions, deleteFiles, deleteRefs, deleteTree, type RunPlace, removeOwn, treeOf } from "./run-remains.js";

/** Runs of each kind at once. */
const MOST_RUNS = 500;
const DAY_MS = 86_400_000;

export interface PruneRequest {
  dryRun: boolean;
  keep: Retention;
  /** @default all */
  kinds?: readonly RetentionKind[] | undefined;
  project_id?: string | undefined;
  run_id?: string | undefined;
  /** Who asked; null: time alone. */
  user_id: string | null;
}

/** Remove what has been kept long enough of runs that have ended, or say what that would be. One that fails keeps no other from going. */
export async function prune(context: ApiContext, request: PruneRequest): Promise<PruneReport> {
  const { dryRun, keep, kinds = RetentionKind.options, project_id, run_id, user_id } = request;
  const report: PruneReport = { dry_run: dryRun, keep, totals: [], items: [], kept: [], more: false };
  for (const kind of kinds) {
    const age = keep[kind];
    if (age === null) continue;
    const filter = { before: new Date(Date.now() - age * DAY_MS), project_id, run_id, limit: MOST_RUNS + 1 };
    const found = await candidates(context, kind, filter);
    report.more ||= found.length > MOST_RUNS;
    const items: Pruned[] = [];
    for (const run of found.slice(0, MOST_RUNS)) {
      if (run.needed_by === null) items.push(await pruneOne(context, kind, { run, dryRun }));
      else report.kept.push({ kind, run_id: run.id, reason: `The run ${run.needed_by}, which goes on from it, is under way.` });
    }
    const done = items.filter(({ problem }) => problem === null);
    const sum = (field: "count" | "size_bytes") => done.reduce((all, item) => all + (item[field] ?? 0), 0);
    report.totals.push({ kind, runs: done.length, count: sum("count"), size_bytes: sum("size_bytes") });
    report.items.push(...items);
  }
  const removed = report.totals.filter(({ runs }) => runs > 0);
  if (!dryRun && removed.length > 0)
    await recordAudit(context.db, {
      user_id,
      action: "retention.prune",
      subject: run_id ?? project_id ?? "all",
      data: { keep, removed },
    });
  return report;
}

/** What of the kind there is; trees are those on this machine. */
async function candidates(context: ApiContext, kind: RetentionKind, filter: EndedFilter): Promise<EndedRun[]> {
  if (kind !== "trees") return endedRuns(context.db, kind, filter);
  const { home } = context.config;
  const trees = join(home, "worktrees");
  const owners = await Promise.all((await entries(trees)).map((project) => entries(join(trees, project))));
  const ids = [...new Set([...owners.flat(), ...(await entries(join(home, "agents")))])].filter((name) => !name.includes("."));
  return endedRuns(context.db, kind, { ...filter, ids });
}

async function pruneOne(
  context: ApiContext,
  kind: RetentionKind,
  { run, dryRun }: { run: EndedRun; dryRun: boolean },
): Promise<Pruned> {
  const place = { runId: run.id, projectId: run.project_id, projectPath: run.project_path };
  const sized = kind === "trees" ? await sizeOfTree(context, place) : run;
  const { id: run_id, name, ended_at } = run;
  const size_bytes = kind === "runs" || sized.size_bytes === null ? null : Math.round(sized.size_bytes);
  const item = { kind, run_id, name, ended_at: ended_at.toISOString(), count: sized.count, size_bytes, kept_refs: [] };
  if (dryRun) return { ...item, problem: null };
  try {
    if (!(await isOver(context.db, run_id))) return { ...item, problem: "It goes on, or another run goes on from it." };
    return { ...item, kept_refs: await remove(context, kind, place), problem: null };
  } catch (error) {
    context.log.warn({ run: run_id, kind, err: error }, "Something that has been kept long enough could not be removed.");
    return { ...item, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Rows go last: as long as they are there, what could not be removed is found again. */
async function remove(context: ApiContext, kind: RetentionKind, place: RunPlace): Promise<string[]> {
  const { runId, projectPath } = place;
  const work = { project: projectPath, tree: treeOf(context, place), runId };
  switch (kind) {
    case "checkpoints": {
      const kept = await keepSnapshotWork(work);
      await deleteRefs(projectPath, `refs/longhaul/${runId}/`);
      await removeOwn(projectPath, join(runFolder(projectPath, runId), "checkpoints"));
      await deleteRowsOf(context.db, "checkpoints", runId);
      return kept;
    }
    case "trees": {
      const kept = await keepTreeWork(work);
      await deleteTree(context, place);
      return kept;
    }
    case "logs": {
      const logs = join(runFolder(projectPath, runId), "logs");
      const ofSteps = (await entries(logs)).filter((name) => /^\d+-/.test(name));
      for (const step of ofSteps) await removeOwn(projectPath, join(logs, step, "events.jsonl"));
      await deleteRowsOf(context.db, "logs", runId);
      return [];
    }
    case "runs": {
      const kept = [...(await keepTreeWork(work)), ...(await keepSnapshotWork(work))];
      await deleteExecutions(context, runId);
      await deleteRun(context.db, runId);
      await deleteFiles(context, place, { keepWork: true });
      return kept;
    }
  }
}

/** Folders, and what they take on the disk. */
async function sizeOfTree(context: ApiContext, place: RunPlace): Promise<{ count: number; size_bytes: number | null }> {
  const folders = [treeOf(context, place), join(context.config.home, "agents", place.runId)].filter((path) => existsSync(path));
  try {
    const { stdout } = await promisify(execFile)("du", ["-sk", "--", ...folders], { timeout: 10_000 });
    const kilobytes = stdout.split("\n").map((line) => Number.parseInt(line, 10) || 0);
    return { count: folders.length, size_bytes: 1_024 * kilobytes.reduce((sum, each) => sum + each, 0) };
  } catch {
    return { count: folders.length, size_bytes: null };
  }
}

async function entries(folder: string): Promise<string[]> {
  return (await readdir(folder).catch((): string[] => [])).sort();
}
