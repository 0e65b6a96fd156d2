import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Run } from "../../contract/run.js";
import { known, longhaul } from "../client.js";
import type { RunFilter } from "./filter.js";

/** Runs that are fetched one by one when they change: more are read again as a list. */
const MOST_AT_ONCE = 100;

interface RunList {
  runs: Run[];
  total: number;
}

/** The newest runs of a filter, as many as asked for, kept right as they change. */
export function useRuns(filter: RunFilter, most: number) {
  return useQuery({
    queryKey: ["runs", filter, most],
    queryFn: () => readRuns(filter, most),
    placeholderData: keepPreviousData,
  });
}

async function readRuns(filter: RunFilter, most: number): Promise<RunList> {
  const runs: Run[] = [];
  for (let cursor: string | undefined; ; ) {
    const limit = Math.min(MOST_AT_ONCE, most - runs.length);
    const { data, page } = await longhaul.list("/api/runs", Run, { ...asQuery(filter), limit, cursor });
    runs.push(...data);
    cursor = page.next_cursor ?? undefined;
    if (cursor === undefined || runs.length >= most) return { runs, total: page.total };
  }
}

function asQuery({ project, workflow, status, branch, q }: RunFilter) {
  return { project_id: project, workflow_id: workflow, status: status?.join(","), branch, q };
}

/** These runs have changed: lists that show them get their new rows, lists that may show them now are read again. */
export async function refreshRuns(ids: readonly string[]): Promise<void> {
  const lists = known.getQueryCache().findAll({ queryKey: ["runs"], type: "active" });
  if (lists.length === 0 || ids.length === 0) return;
  if (ids.length > MOST_AT_ONCE) return void (await known.invalidateQueries({ queryKey: ["runs"] }));
  const { data } = await longhaul.list("/api/runs", Run, { ids: ids.join(","), limit: MOST_AT_ONCE });
  const rows = new Map(data.map((run) => [run.id, run]));
  for (const { queryKey } of lists) {
    const filter = queryKey[1] as RunFilter; // as `useRuns` has made it
    const list = known.getQueryData<RunList>(queryKey);
    const shown = new Set(list?.runs.map(({ id }) => id));
    const isMoved = data.some((run) => shown.has(run.id) !== hasStatus(filter, run) || !shown.has(run.id));
    if (!list || isMoved) void known.invalidateQueries({ queryKey });
    else known.setQueryData(queryKey, { ...list, runs: list.runs.map((run) => rows.get(run.id) ?? run) });
  }
}

function hasStatus({ status }: RunFilter, run: Run): boolean {
  return !status || status.includes(run.status);
}
