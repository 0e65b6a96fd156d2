import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../package-root.js";
import { type Api, HELLO, startApi } from "../../test/support/api.js";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});

const graph = (id: string, query = "") => api.ask("GET", `/api/workflows/${id}/graph${query}`);
const give = (definition: unknown, more = {}) => api.ask("POST", "/api/workflow/execute", { definition, ...more });

test("a graph's nodes know what they wait for, what waits for them, and their level", async () => {
  await give(readFileSync(join(packageRoot, "test/data/dag/review-of-changes.yaml"), "utf8"), { input: { filePath: "a.ts" } });

  const { status, body } = await graph("code-review-workflow");

  expect({ status, data: body.data }).toMatchObject({
    status: 200,
    data: {
      revision: 1,
      name: "code-review-workflow",
      flow: { kind: "graph", by_level: true },
      nodes: [
        { key: "parse-changes", kind: "agent", dependencies: [], dependents: ["security-scan", "quality-check"], level: 0 },
        { key: "security-scan", dependencies: ["parse-changes"], dependents: ["generate-report"], level: 1, optional: false },
        { key: "quality-check", dependencies: ["parse-changes"], dependents: ["generate-report"], level: 1 },
        { key: "generate-report", dependencies: ["security-scan", "quality-check"], dependents: [], level: 2 },
      ],
      levels: [["parse-changes"], ["security-scan", "quality-check"], ["generate-report"]],
      order: ["parse-changes", "security-scan", "quality-check", "generate-report"],
      on_failure: [],
      finally: [],
    },
  });
});

test("steps say what kind of step they are, and those of a failed run and of the end stand apart", async () => {
  const step = (id: string, more = {}) => ({ id, type: "script", command: "true", ...more });
  const head = { name: "kinds", dialect: "phases" };
  const steps = [
    step("each", { phase: "one", for_each: [1, 2], optional: true, name: "Each of them" }),
    { id: "ask", type: "approval", message: "Sure?", if: "input.sure" },
  ];
  await give({ ...head, steps, on_failure: [step("tell")], finally: [step("clean", { name: "Clean up" })] });

  const { body } = await graph("kinds");

  expect(body.data).toMatchObject({
    nodes: [
      { key: "each", name: "Each of them", kind: "shell", phase: "one", optional: true, for_each: true, conditional: false },
      { key: "ask", name: "ask", kind: "approval", phase: null, optional: false, for_each: false, conditional: true },
    ],
    order: ["each", "ask"],
    on_failure: [{ key: "tell", kind: "shell" }],
    finally: [{ key: "clean", name: "Clean up" }],
  });
});

test("a loop says how often, and each revision has its own graph", async () => {
  const stages = (names: string[]) => ({ id: "round", name: "round", stages: names, loop: { max_iters: 3 } });
  await give(stages(["plan"]));
  await give(stages(["plan", "code"]));

  const [first, second] = await Promise.all([graph("round", "?revision=1"), graph("round")]);

  expect(first?.body.data).toMatchObject({ revision: 1, flow: { kind: "loop", max_iterations: 3 }, order: ["plan"] });
  expect(second?.body.data).toMatchObject({ revision: 2, order: ["plan", "code"], levels: [["plan"], ["code"]] });
  expect(await graph("round", "?revision=3")).toMatchObject({
    status: 404,
    body: { detail: expect.stringContaining("revision 3") },
  });
  expect((await graph("round", "?revision=0")).status).toBe(400);
});

test("code has no graph, and what never loaded has none either", async () => {
  const id = await api.addWorkflow(HELLO);
  await api.db.pool.query(
    `insert into app.workflows (id, name, slug, type, dialect, source, load_error)
     values ('wfl_b', 'broken', 'broken', 'yaml', 'dag', 'file', '{"message": "no steps", "file": "b.yaml", "line": 1, "column": 1}')`,
  );

  expect(await graph(id)).toMatchObject({
    status: 409,
    body: { code: "no_graph", detail: expect.stringContaining("TypeScript") },
  });
  expect(await graph("broken")).toMatchObject({
    status: 409,
    body: { code: "no_graph", detail: expect.stringContaining("no steps") },
  });
  expect((await graph("nothing")).status).toBe(404);
});
