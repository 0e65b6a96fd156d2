import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { FactBody } from "../../contract/fact.js";
import { newId } from "../../contract/id.js";
import { keepKey } from "../../db/idempotency.js";
import { applyFacts } from "../../db/projection.js";
import { getRunState } from "../../db/runs.js";
import { type Api, HELLO, startApi } from "../../test/support/api.js";
import { finished, narration, status, stepRef } from "../../test/support/told-run.js";
import { canonicalJson } from "../idempotency.js";
import { sha256 } from "../sha256.js";

let api: Api;
let workflowId: string;

beforeAll(async () => {
  api = await startApi();
  workflowId = await api.addWorkflow(HELLO);
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

describe("a start", () => {
  test.each([
    ["its name", () => ({ workflow: "hello" })],
    ["its id", () => ({ workflow: workflowId })],
    ["an alias of the field", () => ({ workflow_definition_id: workflowId })],
    ["camelCase", () => ({ workflowId, projectId: api.project.id, options: { triggeredBy: "me", baseBranch: "main" } })],
  ])("names its workflow by %s", async (_how, body) => {
    const { status: code, body: answer, headers } = await api.ask("POST", "/api/runs", body());

    expect(code).toBe(201);
    expect(answer).toMatchObject({
      data: {
        workflow_id: workflowId,
        status: "pending",
        name: "hello",
        current_step_index: 0,
        user_id: "local",
        steps: [],
        artifacts: [],
      },
    });
    const { id }: { id: string } = answer.data;
    expect(headers.get("location")).toBe(`/api/runs/${id}`);
    expect((await api.ask("GET", `/api/runs/${id}`)).body).toEqual(answer);
    expect((await api.temporal.workflow.getHandle(id).describe()).type).toBe("hello");
  });

  test.each([
    ["two names of a field with different values", { workflow: "hello", workflow_id: "other" }, 400, "workflow"],
    ["an unknown field", { workflow: "hello", colour: "red" }, 400, "colour"],
    ["input that fails its schema", { workflow: "hello", input: { who: 7 } }, 400, "input.who"],
    ["an option as a branch", { workflow: "hello", options: { base_branch: "--orphan" } }, 400, "options.base_branch"],
    ["an unknown option", { workflow: "hello", options: { colour: "red" } }, 400, "options.colour"],
    ["no workflow", {}, 400, "workflow"],
    ["an unknown workflow", { workflow: "nothing" }, 404, undefined],
    ["an unknown project", { workflow: "hello", project_id: "prj_none" }, 404, undefined],
  ])("is refused for %s", async (_what, body, code, path) => {
    const before = await total();
    const reply = await api.ask("POST", "/api/runs", body);

    expect(reply.status).toBe(code);
    expect(reply.headers.get("content-type")).toContain("application/problem+json");
    const { errors } = reply.body;
    if (path !== undefined) expect(errors.map((error) => error.path)).toContain(path);
    expect(await total()).toBe(before);
  });

  test("of a disabled workflow is a conflict", async () => {
    const id = await api.addWorkflow(HELLO.replaceAll("hello", "asleep"));
    await api.db.pool.query("update app.workflows set is_active = false where id = $1", [id]);

    expect((await api.ask("POST", "/api/runs", { workflow: id })).status).toBe(409);
  });
});

describe("an Idempotency-Key", () => {
  test("makes one run of 100 posts at a time, with 100 equal answers", async () => {
    const key = newId("key");
    const before = await total();
    const posts = Array.from({ length: 100 }, () =>
      api.ask("POST", "/api/runs", { workflow: "hello" }, { "Idempotency-Key": key }),
    );
    const answers = await Promise.all(posts);

    expect(new Set(answers.map(({ status: code, body }) => `${code} ${canonicalJson(body)}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    expect(await total()).toBe(before + 1);
  });

  test("with another body is refused", async () => {
    const key = { "Idempotency-Key": newId("key") };
    const first = await api.ask("POST", `/api/workflows/${workflowId}/execute`, { input: { who: "a" } }, key);
    const again = await api.ask("POST", `/api/workflows/${workflowId}/execute`, { args: { who: "a" } }, key);
    const other = await api.ask("POST", `/api/workflows/${workflowId}/execute`, { input: { who: "b" } }, key);

    expect([first.status, again.status, other.status]).toEqual([201, 201, 422]);
    expect(again.body).toEqual(first.body);
  });

  test("finishes what a crash broke off, with the id that was chosen then", async () => {
    const key = newId("key");
    const body = { workflow: "hello" };
    const resource_id = newId("run");
    await keepKey(api.db, { key, user_id: "local", route: "create run", body_hash: sha256(canonicalJson(body)), resource_id });
    const { body: answer } = await api.ask("POST", "/api/runs", body, { "Idempotency-Key": key });

    expect(answer).toMatchObject({ data: { id: resource_id } });
  });
});

describe("a list of runs", () => {
  test("goes from page to page by number and by cursor, newest first", async () => {
    for (let i = 0; i < 3; i += 1) await api.startRun({ name: `paged ${i}` });
    const first = (await api.ask("GET", "/api/runs?q=paged&limit=2")).body;
    const { next_cursor: cursor } = first.page;

    expect(first).toMatchObject({ data: [{ name: "paged 2" }, { name: "paged 1" }], page: { limit: 2, number: 1, total: 3 } });
    expect((await api.ask("GET", "/api/executions?q=paged&limit=2&page=2")).body).toMatchObject({ data: [{ name: "paged 0" }] });
    expect((await api.ask("GET", `/api/workflow-executions?q=paged&limit=2&cursor=${cursor}`)).body).toMatchObject({
      data: [{ name: "paged 0" }],
      page: { number: null, total: 3, next_cursor: null },
    });
  });

  test.each([
    "limit=-1",
    "limit=0",
    "limit=1000000000",
    "limit=1e1",
    "cursor=garbage",
    "status=asleep",
    "colour=red",
    "page=1&cursor=x",
  ])("refuses ?%s", async (query) => {
    expect((await api.ask("GET", `/api/runs?${query}`)).status).toBe(400);
  });

  test("takes statuses in any case, and camelCase names", async () => {
    expect((await api.ask("GET", `/api/runs?status=PENDING,running&projectId=${api.project.id}`)).status).toBe(200);
  });
});

describe("an id", () => {
  test.each([
    ["run_unknown", 404],
    ["a%20b", 400],
    ["%00", 400],
    ["x".repeat(1001), 400],
    ["%E0%A4%A", 400],
  ])("%s is answered as what it is", async (id, code) => {
    expect((await api.ask("GET", `/api/runs/${id}`)).status).toBe(code);
  });
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
    const checkpoint = {
      state: {},
      context: {},
      completed_steps: ["step-1"],
      pending_steps: [],
      label: null,
      tree: null,
    } as const;
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
        completed_steps: ["step-1"],
        pending_steps: [],
      },
      { type: "log", level: "warn", text: "careful", step_id: step.id, attempt: 1 },
      started(id, 2),
    );

    expect((await api.ask("GET", `/api/runs/${id}/steps`)).body).toMatchObject({
      data: [{ step_number: 2 }, { step_number: 1 }],
      page: { total: 2 },
    });
    expect((await api.ask("GET", `/api/runs/${id}/checkpoints`)).body).toMatchObject({ data: [{ step_number: 1 }] });
    expect((await api.ask("GET", `/api/runs/${id}/logs?level=warn&stepId=${step.id}`)).body).toMatchObject({
      data: [{ text: "careful" }],
    });
    expect((await api.ask("GET", `/api/runs/${id}`)).body).toMatchObject({
      data: { current_step: { step_number: 2 }, steps: [{}, {}], _count: { steps: 2 } },
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
  test("is gone with its Temporal execution; an open one stays", async () => {
    const id = await api.startRun();
    expect((await api.ask("DELETE", `/api/runs/${id}`)).status).toBe(409);

    await tell(id, status("running"), finished("completed"));
    await api.temporal.workflow.getHandle(id).terminate();
    expect((await api.ask("DELETE", `/api/runs/${id}`)).status).toBe(204);

    expect((await api.ask("GET", `/api/runs/${id}`)).status).toBe(404);
    await expect
      .poll(
        () =>
          api.temporal.workflow
            .getHandle(id)
            .describe()
            .then(
              () => "there",
              () => "gone",
            ),
        { timeout: 10_000 },
      )
      .toBe("gone");
  });
});

async function total(): Promise<number> {
  return (await api.ask("GET", "/api/runs?limit=1")).body.page.total;
}

function at(n: number): string {
  return new Date(Date.UTC(2025, 0, 25, 10, 0, n)).toISOString();
}
