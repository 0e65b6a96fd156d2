import { beforeAll, describe, expect, test } from "vitest";
import { type Api, HELLO, startApi } from "../test/support/api.js";
import { surface } from "./app.js";

let api: Api;

beforeAll(async () => {
  api = await startApi();
  await api.addWorkflow(HELLO);
});

describe("the surface", () => {
  test("answers 401 without a token on every route but the open ones", async () => {
    for (const { at, open, routes } of surface(api.context)) {
      for (const base of at) {
        for (const { method, path } of routes) {
          const where = `${base}${path}`.replace(/:\w+/g, "x");
          const { status } = await fetch(`${api.url}${where}`, { method: method.toUpperCase() });
          expect(`${method} ${where} ${status === 401}`).toBe(`${method} ${where} ${!open}`);
        }
      }
    }
  });

  test("describes itself as OpenAPI 3.1", async () => {
    const { status, body } = await api.ask("GET", "/openapi.json");

    expect(status).toBe(200);
    expect(body).toMatchObject({ openapi: "3.1.0" });
    expect(Object.keys(body.paths)).toContain("/api/runs/{id}/comments");
  });

  test("shows a definition that comes with a request in a body around it, and bare", async () => {
    const { body } = await api.ask("GET", "/openapi.json");

    const content = {
      "application/json": { schema: { anyOf: forms(["definition"], ["name", "steps"], ["stages"], ["stageConfigs"]) } },
    };
    expect(body.paths).toMatchObject({ "/api/workflow/execute": { post: { requestBody: { content } } } });

    function forms(...required: string[][]) {
      return required.map((names) => ({ type: "object", required: names }));
    }
  });

  test("starts a run, which is pending, and finds it", async () => {
    const reply = await api.ask("POST", "/api/runs", { workflow: "hello", args: { who: "you" } });

    expect(reply.body).toMatchObject({
      data: { status: "pending", current_step_index: 0, current_phase: "greet", input: { who: "you" } },
    });
    expect(reply.status).toBe(201);
  });
});
