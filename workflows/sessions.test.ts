import { expect, test } from "vitest";
import type { AgentSessionRow } from "../contract/agent-session.js";
import type { FactBody } from "../contract/fact.js";
import { withSessions } from "./sessions.js";

test("that a session has begun is told once, also when the worker after a lost one says it again", () => {
  expect(told(session("running"), session("running"), session("completed"))).toEqual(["running", "completed"]);
});

test("that it has begun is told anew when the agent has chosen another id, as after a worker that was lost before it knew one", () => {
  expect(told(session("running"), session("running", "b"), session("completed", "b"))).toEqual([
    "running",
    "running",
    "completed",
  ]);
});

test("what a turn has used that was halted is told, and that it goes on is not told over it", () => {
  expect(told(session("running"), session("running", "a", { turns: 2 }), session("running"), session("completed"))).toEqual([
    "running",
    "running",
    "completed",
  ]);
});

test("that it has begun is not told any more when it has ended", () => {
  expect(told(session("running"), session("completed"), session("running"))).toEqual(["running", "completed"]);
});

test.each(["failed", "cancelled"] as const)("a session whose end nobody tells ends before its step, which has %s", (status) => {
  expect(told(session("running"), finished("completed", "run_1-2"), finished(status))).toEqual([
    "running",
    "run_1-2 completed",
    status,
    `run_1-1 ${status}`,
  ]);
});

/** What is told of this: the status of sessions, the end of steps. */
function told(...bodies: FactBody[]): string[] {
  const heard: string[] = [];
  const narrator = withSessions({
    tell: (body) => {
      if (body.type === "session.updated") heard.push(body.session.status);
      if (body.type === "step.finished") heard.push(`${body.step_id} ${body.status}`);
    },
    next: () => {
      throw new Error("Nothing is told ahead here.");
    },
  });
  for (const body of bodies) narrator.tell(body);
  return heard;
}

function session(status: AgentSessionRow["status"], provider_session_id = "a", usage: AgentSessionRow["usage"] = null): FactBody {
  const named = { id: "run_1-1-s5", run_id: "run_1", step_id: "run_1-1", name: "plan", agent: "claude", model: null };
  return { type: "session.updated", session: { ...named, provider_session_id, status, session_file_path: null, usage } };
}

function finished(status: "completed" | "failed" | "cancelled", step_id = "run_1-1"): FactBody {
  const at = "2026-01-01T00:00:00.000Z";
  return { type: "step.finished", step_id, status, attempt: 1, output: null, error: null, started_at: at, completed_at: at };
}
