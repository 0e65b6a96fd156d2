import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Run } from "../../contract/run.js";
import { StatusName } from "../ui/status.js";
import { ago } from "../ui/time.js";
import { Answer } from "../waiting/answer.js";

/** A run on the board. What it asks can be answered here. */
export function Card({ run, now }: { run: Run; now: number }) {
  const [isOpen, open] = useState(false);
  const asks = run.waiting_for?.kind === "approval" ? run.waiting_for : null;
  return (
    <li className={`rounded-md border bg-panel p-3 ${asks ? "border-waiting" : "border-line"}`}>
      <Link to="/runs/$id" params={{ id: run.id }} className="break-words font-medium hover:underline">
        <bdi>{run.name}</bdi>
      </Link>
      <p className="mt-1 flex flex-wrap items-center gap-x-3 text-sm">
        <StatusName status={run.status} />
        <time dateTime={run.created_at} className="text-faint">
          {ago(run.created_at, now)}
        </time>
      </p>
      {run.current_step && run.completed_at === null && (
        <p className="mt-1 truncate text-faint text-sm">
          <bdi>{run.current_step.name}</bdi>
        </p>
      )}
      {run.waiting_for && !asks && <p className="mt-1 line-clamp-2 text-sm text-waiting">{run.waiting_for.message}</p>}
      {run.error_message && <p className="mt-1 line-clamp-2 text-bad text-sm">{run.error_message}</p>}
      {asks && (
        <details className="mt-2" onToggle={({ currentTarget }) => open(currentTarget.open)}>
          <summary className="cursor-pointer text-sm text-waiting">Waits for you: {asks.message.slice(0, 80)}</summary>
          {isOpen && <Answer runId={run.id} waiting={asks} />}
        </details>
      )}
    </li>
  );
}
