import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Run } from "../../contract/run.js";
import { Button } from "../ui/button.js";
import { Problem } from "../ui/problem.js";
import { StatusName } from "../ui/status.js";
import { ago, duration, useNow } from "../ui/time.js";
import { Filters } from "./filters.js";
import { NoRuns } from "./no-runs.js";
import { useRuns } from "./run-lists.js";

const route = getRouteApi("/runs");

const PAGE = 50;

/** All runs, the newest first. */
export function RunsPage() {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const [most, setMost] = useState(PAGE);
  const { data, error } = useRuns(filter, most);
  const now = useNow();
  return (
    <>
      <h1 className="mb-3 font-semibold text-xl">Runs</h1>
      <Filters filter={filter} onChange={(search) => void navigate({ search })} />
      {error && <Problem error={error} />}
      {data?.total === 0 && <NoRuns filtered={Object.keys(filter).length > 0} />}
      {data && data.total > 0 && (
        <div className="overflow-x-auto rounded-lg border border-line bg-panel">
          <table className="w-full text-left">
            <caption className="sr-only">Runs, the newest first</caption>
            <thead className="text-faint text-sm">
              <tr>
                {["Status", "Run", "Workflow", "Steps", "Began", "Took"].map((name) => (
                  <th key={name} scope="col" className="px-3 py-2 font-medium">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {data.runs.map((run) => (
                <Row key={run.id} run={run} now={now} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {data && data.runs.length < data.total && (
        <p className="mt-3 flex items-center gap-3 text-faint">
          {data.runs.length} of {data.total}
          <Button onClick={() => setMost(most + PAGE)}>Show more</Button>
        </p>
      )}
    </>
  );
}

function Row({ run, now }: { run: Run; now: number }) {
  const took = run.duration_ms ?? (run.started_at ? now - Date.parse(run.started_at) : null);
  return (
    <tr className="border-line border-t">
      <td className="px-3 py-2">
        <StatusName status={run.status} />
      </td>
      <td className="max-w-80 truncate px-3 py-2">
        <Link to="/runs/$id" params={{ id: run.id }} className="text-accent hover:underline">
          <bdi>{run.name}</bdi>
        </Link>
      </td>
      <td className="px-3 py-2">
        <bdi>{run.workflow_definition.name}</bdi>
      </td>
      <td className="px-3 py-2">{run._count.steps}</td>
      <td className="whitespace-nowrap px-3 py-2">
        <time dateTime={run.created_at} title={run.created_at}>
          {ago(run.created_at, now)}
        </time>
      </td>
      <td className="whitespace-nowrap px-3 py-2">{took === null ? "" : duration(took)}</td>
    </tr>
  );
}
