import { Client, Connection } from "@temporalio/client";
import { beforeAll, describe, expect, test } from "vitest";
import { openDatabase } from "../../db/database.js";
import { type Api, HELLO, startApi } from "../../test/support/api.js";

/** Nobody listens on the discard port. */
const NOBODY = "127.0.0.1:9";

describe("with Temporal away", () => {
  let api: Api;

  beforeAll(async () => {
    api = await startApi({ temporal: new Client({ connection: Connection.lazy({ address: NOBODY }) }) });
    await api.addWorkflow(HELLO);
  });

  test("reads go on, and changes answer 503 and change nothing", async () => {
    const reply = await api.ask("POST", "/api/runs", { workflow: "hello" });

    expect(reply.status).toBe(503);
    expect(reply.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(reply.body).toMatchObject({ code: "temporal_unavailable" });
    expect((await api.ask("GET", "/api/runs")).body).toMatchObject({ data: [] });
  });

  test("it is healthy, but not ready", async () => {
    const ready = await fetch(`${api.url}/readyz`);

    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ errors: [{ path: "temporal" }] });
  });
});

describe("with Postgres away", () => {
  let api: Api;

  beforeAll(async () => {
    api = await startApi();
    await api.addWorkflow(HELLO);
    await api.db.close();
    Object.assign(api.db, openDatabase(`postgres://nobody@${NOBODY}/none`));
  });

  test.each([
    ["GET", "/api/runs"],
    ["GET", "/api/runs/run_1"],
    ["GET", "/api/events"],
    ["POST", "/api/runs"],
    ["POST", "/api/runs/run_1/pause"],
  ])("%s %s answers 503 and when to come again", async (method, path) => {
    const reply = await api.ask(method, path, method === "POST" && path === "/api/runs" ? { workflow: "hello" } : undefined);

    expect(reply.status).toBe(503);
    expect(reply.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(reply.body).toMatchObject({ code: "postgres_unavailable" });
  });

  test("it is healthy, but not ready", async () => {
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${api.url}/readyz`)).status).toBe(503);
  });
});
