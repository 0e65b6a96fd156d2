import { beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../contract/id.js";
import { keepKey } from "../../db/idempotency.js";
import { type Api, HELLO, startApi } from "../../test/support/api.js";
import { canonicalJson } from "../idempotency.js";
import { sha256 } from "../sha256.js";

let api: Api;
let workflowId: string;

beforeAll(async () => {
  api = await startApi();
  workflowId = await api.addWorkflow(HELLO);
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

  test("has the runs with these ids that there are", async () => {
    const [one, , three] = [await api.startRun(), await api.startRun(), await api.startRun()];
    const { body } = await api.ask("GET", `/api/runs?ids=${one},run_none,${three}`);

    expect(body).toMatchObject({ data: [{ id: three }, { id: one }], page: { total: 2 } });
  });

  test.each([
    "limit=-1",
    "ids=",
    "ids=a%20b",
    `ids=${Array.from({ length: 101 }, (_, n) => `run_${n}`)}`,
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

async function total(): Promise<number> {
  return (await api.ask("GET", "/api/runs?limit=1")).body.page.total;
}
