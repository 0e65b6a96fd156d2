import { Link } from "@tanstack/react-router";
import type { Run } from "../../contract/run.js";
import { useRuns } from "../runs/run-lists.js";
import { Problem } from "../ui/problem.js";
import { ago, useNow } from "../ui/time.js";
import { Answer } from "./answer.js";

const MOST = 100;

/** All that waits for a person. */
export function WaitingPage() {
  const { data, error } = useRuns({ status: ["waiting", "running", "paused"] }, MOST);
  const asking = data?.runs.filter(({ waiting_for }) => waiting_for?.kind === "approval") ?? [];
  return (
    <>
      <h1 className="mb-3 font-semibold text-xl">Waiting for you</h1>
      {error && <Problem error={error} />}
      {data && asking.length === 0 && <p className="text-faint">Nothing waits for a person.</p>}
      <ul className="grid max-w-3xl gap-3">
        {asking.map((run) => (
          <Asking key={run.id} run={run} />
        ))}
      </ul>
    </>
  );
}

function Asking({ run }: { run: Run }) {
  const now = useNow();
  const since = run.waiting_for?.since;
  return (
    <li className="rounded-lg border border-line bg-panel p-4">
      <p className="mb-2">
        <Link to="/runs/$id" params={{ id: run.id }} className="text-accent hover:underline">
          <bdi>{run.name}</bdi>
        </Link>
        {since && <span className="text-faint text-sm"> since {ago(since, now)}</span>}
      </p>
      {run.waiting_for && <Answer runId={run.id} waiting={run.waiting_for} />}
    </li>
  );
}
