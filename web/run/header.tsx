import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { isFinished } from "../../contract/run.js";
import { WholeRun } from "../../contract/whole-run.js";
import { known, longhaul } from "../client.js";
import { refreshRuns } from "../runs/run-lists.js";
import { Button } from "../ui/button.js";
import { Copy } from "../ui/copy.js";
import { Dialog } from "../ui/dialog.js";
import { Problem } from "../ui/problem.js";
import { StatusName } from "../ui/status.js";
import { ago, duration } from "../ui/time.js";

type Action = "pause" | "pause now" | "resume" | "cancel" | "retry";

/** What the run is, and what can be done to it now. */
export function Header({ run, now }: { run: WholeRun; now: number }) {
  const took = run.duration_ms ?? (run.started_at ? now - Date.parse(run.started_at) : null);
  const cost = run.usage?.cost_usd;
  return (
    <header className="mb-4">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <h1 className="min-w-0 break-words font-semibold text-xl">
          <bdi>{run.name}</bdi>
        </h1>
        <StatusName status={run.status} />
        <div className="ml-auto">
          <Actions run={run} />
        </div>
      </div>
      <dl className="mt-2 flex flex-wrap gap-x-5 gap-y-1 text-sm [&_dt]:mr-1 [&_dt]:inline [&_dt]:text-faint [&_dd]:inline">
        <Fact name="Id">
          <Copy text={run.id} what="the run's id" />
        </Fact>
        <Fact name="Workflow">
          <bdi>{run.workflow_definition.name}</bdi>, version {run.workflow_revision}
        </Fact>
        <Fact name="Began">
          <time dateTime={run.created_at} title={run.created_at}>
            {ago(run.created_at, now)}
          </time>
        </Fact>
        {took !== null && <Fact name="Took">{duration(took)}</Fact>}
        {run.current_phase && <Fact name="Phase">{run.current_phase}</Fact>}
        {run.branch_name && (
          <Fact name="Branch">
            <Copy text={run.branch_name} what="the branch" />
          </Fact>
        )}
        {cost != null && <Fact name="Cost">${cost.toFixed(2)}</Fact>}
        {run.resume_count > 0 && <Fact name="Taken back">{run.resume_count} times</Fact>}
        {run.parent_run_id && (
          <Fact name="Comes from">
            <Link to="/runs/$id" params={{ id: run.parent_run_id }} className="text-accent hover:underline">
              {run.parent_run_id}
            </Link>
          </Fact>
        )}
        {run.temporal.url && (
          <Fact name="Temporal">
            <a href={run.temporal.url} className="text-accent hover:underline" rel="noreferrer">
              its history
            </a>
          </Fact>
        )}
      </dl>
    </header>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Actions({ run }: { run: WholeRun }) {
  const [isCancelling, ask] = useState(false);
  const act = useMutation({
    mutationFn: ({ action, reason }: { action: Action; reason?: string }) => {
      const [name] = action.split(" ");
      const body = { ...(action === "pause now" ? { mode: "now" } : {}), ...(reason ? { reason } : {}) };
      return longhaul.post(`/api/runs/${run.id}/${name}`, WholeRun, body, { key: crypto.randomUUID() });
    },
    onSettled: () => Promise.all([refreshRuns([run.id]), known.invalidateQueries({ queryKey: ["run", run.id] })]),
  });
  return (
    <>
      <div className="flex flex-wrap gap-2">
        {actionsOf(run).map((action) => (
          <Button
            key={action}
            disabled={act.isPending}
            onClick={() => (action === "cancel" ? ask(true) : act.mutate({ action }))}
          >
            {LABELS[action]}
          </Button>
        ))}
      </div>
      {act.error && <Problem error={act.error} />}
      {isCancelling && (
        <CancelDialog
          busy={act.isPending}
          onClose={() => ask(false)}
          onCancel={(reason) => {
            ask(false);
            act.mutate({ action: "cancel", reason });
          }}
        />
      )}
    </>
  );
}

const LABELS: Record<Action, string> = {
  pause: "Pause",
  "pause now": "Pause now",
  resume: "Resume",
  cancel: "Cancel …",
  retry: "Retry",
};

function actionsOf({ status }: WholeRun): Action[] {
  if (status === "paused") return ["resume", "cancel"];
  if (!isFinished(status)) return ["pause", "pause now", "cancel"];
  return status === "failed" || status === "timed_out" ? ["retry"] : [];
}

function CancelDialog({ busy, onCancel, onClose }: { busy: boolean; onCancel: (reason: string) => void; onClose: () => void }) {
  const [reason, setReason] = useState("");
  return (
    <Dialog title="Cancel this run?" action="Cancel the run" busy={busy} onAct={() => onCancel(reason)} onClose={onClose}>
      <p className="mb-2">What runs is stopped. What its steps have done stays, with the branch.</p>
      <label className="block text-sm">
        Reason (may be empty)
        <input
          value={reason}
          onChange={({ target }) => setReason(target.value)}
          className="mt-1 min-h-9 w-full rounded-md border border-line bg-ground px-2"
        />
      </label>
    </Dialog>
  );
}
