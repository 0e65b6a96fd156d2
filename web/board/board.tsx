import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { Run } from "../../contract/run.js";
import { Workflow } from "../../contract/workflow.js";
import { longhaul } from "../client.js";
import { Filters } from "../runs/filters.js";
import { NoRuns } from "../runs/no-runs.js";
import { useRuns } from "../runs/run-lists.js";
import { Problem } from "../ui/problem.js";
import { useNow } from "../ui/time.js";
import { Card } from "./card.js";
import { type Column, columnsOf } from "./columns.js";

const route = getRouteApi("/");

/** Cards that a board shows: the newest. */
const MOST = 500;

/** Runs as cards: by phase where one workflow is looked at, else by status. */
export function Board() {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const { data, error } = useRuns(filter, MOST);
  const workflow = useQuery({
    queryKey: ["workflow", filter.workflow],
    queryFn: () => longhaul.get(`/api/workflows/${filter.workflow}`, Workflow),
    enabled: filter.workflow !== undefined,
  });
  const columns = columnsOf(data?.runs ?? [], filter.workflow ? (workflow.data?.phases ?? []) : []);
  return (
    <>
      <h1 className="sr-only">Board</h1>
      <Filters filter={filter} onChange={(search) => void navigate({ search })} />
      {error && <Problem error={error} />}
      {data?.total === 0 ? (
        <NoRuns filtered={Object.keys(filter).length > 0} />
      ) : (
        <div className="flex snap-x snap-mandatory gap-3 overflow-x-auto pb-3 md:snap-none">
          {columns.map((column) => (
            <Lane key={column.name} column={column} />
          ))}
        </div>
      )}
      {data && data.total > data.runs.length && (
        <p className="text-faint text-sm">
          The newest {data.runs.length} of {data.total} runs are shown; a filter brings up others.
        </p>
      )}
    </>
  );
}

function Lane({ column: { name, runs } }: { column: Column }) {
  const now = useNow();
  return (
    <section
      aria-label={name}
      className={`w-[85vw] shrink-0 snap-center rounded-lg bg-line/35 p-2 md:w-72 ${runs.length === 0 ? "max-md:hidden" : ""}`}
    >
      <h2 className="mb-2 px-1 font-medium">
        {name} <span className="text-faint">{runs.length}</span>
      </h2>
      <ul className="grid max-h-[calc(100dvh-13rem)] content-start gap-2 overflow-y-auto">
        {runs.map((run: Run) => (
          <Card key={run.id} run={run} now={now} />
        ))}
      </ul>
    </section>
  );
}
