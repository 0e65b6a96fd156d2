import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { FactBody } from "../../contract/fact.js";
import { applyFacts } from "../../db/projection.js";
import { getRunState } from "../../db/runs.js";
import { type Api, HELLO, startApi } from "../../test/support/api.js";
import { artifact, finished, narration, status, stepRef } from "../../test/support/told-run.js";

let api: Api;

beforeAll(async () => {
  api = await startApi();
  await api.addWorkflow(HELLO);
});

/** What a worker would tell of a run, by the writer that a worker has. */
async function tell(runId: string, ...bodies: FactBody[]): Promise<void> {
  const { header } = await getRunState(api.db, runId);
  const { runId: execution } = await api.temporal.workflow.getHandle(runId).describe();
  await applyFacts(api.db, runId, execution, narration(runId, execution, [{ type: "run.created", run: header }, ...bodies]));
}

const started = (runId: string, number: number): FactBody => ({
  type: "step.started",
  step: stepRef(runId, number, `step-${number}`),
  max_attempts: 1,
  input: { n: number },
});

describe("pause and resume", () => {
  test("change the status at once, worker or not", async () => {
    const id = await api.startRun();
    const paused = await api.ask("POST", `/api/runs/${id}/pause`);
    const again = await api.ask("POST", `/api/runs/${id}/pause`, { mode: "BOUNDARY" });
    const resumed = await api.ask("POST", `/api/runs/${id}/resume`);

    expect(paused.body).toMatchObject({ data: { status: "paused", paused_at: expect.any(String) } });
    expect([paused.status, again.status, resumed.status]).toEqual([200, 200, 200]);
    expect(resumed.body).toMatchObject({ data: { status: "running", paused_at: null } });
    expect((await api.ask("POST", `/api/runs/${id}/resume`)).status).toBe(409);
  });

  test("of a finished run is a conflict", async () => {
    const id = await api.startRun();
    await tell(id, status("running"), finished("completed"));

    expect((await api.ask("POST", `/api/runs/${id}/pause`)).status).toBe(409);
    expect((await api.ask("POST", `/api/runs/${id}/cancel`, { reason: "late" })).status).toBe(409);
  });
});

describe("cancel", () => {
  test("answers 202 with the run as it is when nobody works on it", async () => {
    const id = await api.startRun();
    const { status: code, body } = await api.ask("POST", `/api/runs/${id}/cancel`, { reason: "not needed" });

    expect(code).toBe(202);
    expect(body).toMatchObject({ data: { status: "pending" } });
  });

  test("answers 200 once the run has told its end", async () => {
    const id = await api.startRun();
    const asked = api.ask("POST", `/api/runs/${id}/cancel`);
    await delay(500);
    await tell(id, status("running"), finished("cancelled"));

    expect(await asked).toMatchObject({ status: 200, body: { data: { status: "cancelled", cancelled_at: expect.any(String) } } });
  });
});

describe("what is below a run", () => {
  test("is listed and shown as it was told", async () => {
    const id = await api.startRun();
    const step = stepRef(id, 1, "step-1");
    const checkpoint = { label: null, tree: null } as const;
    await tell(
      id,
      status("running"),
      started(id, 1),
      {
        type: "step.finished",
        step_id: step.id,
        status: "completed",
        attempt: 1,
        output: { ok: true },
        error: null,
        started_at: at(4),
        completed_at: at(5),
      },
      {
        type: "checkpoint.created",
        id: `${id}-k1`,
        step,
        created_by: "automatic",
        ...checkpoint,
      },
      { type: "log", level: "warn", text: "careful", step_id: step.id, attempt: 1 },
      artifact(id, `${id}-a1`),
      artifact(id, `${id}-a2`, { name: "notes.txt" }),
      started(id, 2),
    );

    expect((await api.ask("GET", `/api/runs/${id}/steps`)).body).toMatchObject({
      data: [{ step_number: 2 }, { step_number: 1 }],
      page: { total: 2 },
    });
    expect((await api.ask("GET", `/api/runs/${id}/checkpoints`)).body).toMatchObject({
      data: [{ step_number: 1, completed_steps: ["step-1"] }],
    });
    expect((await api.ask("GET", `/api/runs/${id}/logs?level=warn&stepId=${step.id}`)).body).toMatchObject({
      data: [{ text: "careful" }],
    });
    const both = { _count: { steps: 2, comments: 1, artifacts: 2 } };
    expect((await api.ask("GET", `/api/runs/${id}`)).body).toMatchObject({
      data: { current_step: { step_number: 2 }, steps: [{}, {}], comments: [{}], artifacts: [{}, {}], ...both },
    });
    const other = await api.startRun();
    expect((await api.ask("GET", "/api/runs?limit=2")).body).toMatchObject({
      data: [
        { id: other, _count: { steps: 0, comments: 0, artifacts: 0 } },
        { id, ...both },
      ],
    });
    expect((await api.ask("GET", `/api/workflow-steps/${step.id}`)).body).toMatchObject({
      data: { step_id: "step-1", status: "completed", attempts: [{}] },
    });
    expect((await api.ask("GET", `/api/steps/${step.id}/logs/output`)).body).toMatchObject({
      data: { type: "output", step_id: step.id, truncated: false },
    });
    expect((await api.ask("GET", `/api/steps/${step.id}/logs/secrets`)).status).toBe(400);
    const log = await api.ask("GET", `/api/runs/${id}/logs/download`);
    expect(log.headers.get("content-disposition")).toContain(`${id}.log`);
    expect(String(log.body)).toContain("careful");
  });

  test("a comment is there at once, on an open run and on a finished one", async () => {
    const id = await api.startRun();
    const first = await api.ask("POST", `/api/runs/${id}/comments`, { message: "looks good\n\nevent: done\ndata: {}" });
    await tell(id, status("running"), started(id, 1), finished("completed"));
    await api.temporal.workflow.getHandle(id).terminate();
    const second = await api.ask("POST", `/api/runs/${id}/comments`, {
      text: "too late",
      step_id: `${id}-1`,
      comment_type: "AGENT",
    });

    expect([first.status, second.status]).toEqual([201, 201]);
    expect(first.body).toMatchObject({
      data: { comment_type: "user", created_by: "local", creator: { id: "local" }, artifacts: [] },
    });
    expect((await api.ask("GET", `/api/runs/${id}/comments?step_id=${id}-1`)).body).toMatchObject({
      data: [{ text: "too late", comment_type: "agent" }],
    });
    expect((await api.ask("POST", `/api/runs/${id}/comments`, { text: "x", step_id: "other-1" })).status).toBe(400);
  });
});

describe("a deleted run", () => {
  // Temporal deletes an execution when its close has been worked off, which it looks for every 30 s.
  test("is gone with its Temporal execution; an open one stays", { timeout: 90_000 }, async () => {
    const id = await api.startRun();
    expect((await api.ask("DELETE", `/api/runs/${id}`)).status).toBe(409);

    await tell(id, status("running"), finished("completed"));
    await api.temporal.workflow.getHandle(id).terminate();
    expect((await api.ask("DELETE", `/api/runs/${id}`)).status).toBe(204);

    expect((await api.ask("GET", `/api/runs/${id}`)).status).toBe(404);
    const execution = api.temporal.workflow.getHandle(id);
    const there = () =>
      execution.describe().then(
        () => true,
        () => false,
      );
    await expect.poll(there, { timeout: 75_000, interval: 1000 }).toBe(false);
  });
});

function at(n: number): string {
  return new Date(Date.UTC(2025, 0, 25, 10, 0, n)).toISOString();
}
