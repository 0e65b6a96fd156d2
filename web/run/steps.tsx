import { Link } from "@tanstack/react-router";
import { isFinished } from "../../contract/run.js";
import type { Step } from "../../contract/step.js";
import type { WholeRun } from "../../contract/whole-run.js";
import { StatusName } from "../ui/status.js";
import { duration } from "../ui/time.js";

/** The run's steps in their order, each with its place in the run's time. */
export function Steps({ run, now, chosen }: { run: WholeRun; now: number; chosen: number | undefined }) {
  const began = Date.parse(run.started_at ?? run.created_at);
  const end = Math.max(began + 1, isFinished(run.status) && run.completed_at ? Date.parse(run.completed_at) : now);
  return (
    <section aria-label="Steps">
      <h2 className="mb-2 font-medium">
        Steps <span className="text-faint">{run.steps.length}</span>
      </h2>
      {run.steps.length === 0 && <p className="text-faint">The first step has not begun.</p>}
      <ol className="overflow-hidden rounded-lg border border-line bg-panel">
        {run.steps.map((step) => (
          <Row key={step.id} runId={run.id} step={step} {...{ began, end, now }} isChosen={step.step_number === chosen} />
        ))}
      </ol>
    </section>
  );
}

function Row({
  runId,
  step,
  began,
  end,
  now,
  isChosen,
}: {
  runId: string;
  step: Step;
  began: number;
  end: number;
  now: number;
  isChosen: boolean;
}) {
  const from = step.started_at ? Date.parse(step.started_at) : null;
  const to = step.completed_at ? Date.parse(step.completed_at) : now;
  return (
    <li className={`border-line border-t first:border-t-0 ${isChosen ? "bg-mark" : ""} ${step.superseded ? "opacity-60" : ""}`}>
      <Link
        to="/runs/$id"
        params={{ id: runId }}
        search={isChosen ? {} : { step: step.step_number }}
        aria-current={isChosen ? "true" : undefined}
        className="block px-3 py-2 hover:bg-ground"
      >
        <span className="flex flex-wrap items-baseline gap-x-3">
          <span className="text-faint text-sm">{step.step_number}</span>
          <bdi className="min-w-0 flex-1 truncate">{step.name}</bdi>
          {step.attempt > 1 && <span className="text-sm text-waiting">try {step.attempt}</span>}
          {from !== null && <span className="text-faint text-sm">{duration(to - from)}</span>}
          <StatusName status={step.status} />
        </span>
        {from !== null && (
          <span aria-hidden="true" className="mt-1.5 block h-1.5 rounded bg-ground">
            <span className={`block h-full rounded ${BARS[step.status]}`} style={barOf(from, to, { began, end })} />
          </span>
        )}
      </Link>
    </li>
  );
}

const BARS: Record<Step["status"], string> = {
  pending: "bg-still",
  running: "bg-running",
  retrying: "bg-waiting",
  waiting: "bg-waiting",
  completed: "bg-good",
  failed: "bg-bad",
  skipped: "bg-still",
  cancelled: "bg-still",
};

function barOf(from: number, to: number, { began, end }: { began: number; end: number }) {
  const part = (at: number) => Math.min(1, Math.max(0, (at - began) / (end - began)));
  const left = part(from);
  return { marginLeft: `${left * 100}%`, width: `${Math.max(0.5, (part(to) - left) * 100)}%` };
}
