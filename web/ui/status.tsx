import type { RunStatus } from "../../contract/run.js";
import type { StepStatus } from "../../contract/step.js";

type Status = RunStatus | StepStatus;

/** A status has a colour and a sign: neither is needed to know it, for its name stands beside them. */
const LOOKS: Record<Status, { sign: string; colour: string }> = {
  pending: { sign: "○", colour: "text-still" },
  running: { sign: "●", colour: "text-running" },
  retrying: { sign: "↻", colour: "text-waiting" },
  waiting: { sign: "◔", colour: "text-waiting" },
  paused: { sign: "❚❚", colour: "text-waiting" },
  completed: { sign: "✓", colour: "text-good" },
  failed: { sign: "✕", colour: "text-bad" },
  timed_out: { sign: "✕", colour: "text-bad" },
  skipped: { sign: "↷", colour: "text-still" },
  cancelled: { sign: "⊘", colour: "text-still" },
};

export function StatusName({ status }: { status: Status }) {
  const { sign, colour } = LOOKS[status];
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap font-medium ${colour}`}>
      <span aria-hidden="true">{sign}</span>
      {nameOf(status)}
    </span>
  );
}

export function nameOf(status: Status): string {
  return status.replace("_", " ");
}
