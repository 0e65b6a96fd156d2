import { beforeAll, expect, test } from "vitest";
import { type Api, HELLO, startApi } from "../../test/support/api.js";

let api: Api;
beforeAll(async () => {
  api = await startApi();
  await api.addWorkflow(HELLO);
});

const stats = (query = "") => api.ask("GET", `/api/workflows/hello/stats${query}`);

test("a workflow's statistics are of its runs, and of those since a moment", async () => {
  const first = await api.startRun();
  const { status, body } = await stats();
  const later = new Date(Date.now() + 60_000).toISOString();

  expect({ status, data: body.data }).toMatchObject({
    status: 200,
    data: { executions: 1, open: 1, success_rate: null, last_run: { id: first, status: "pending" }, steps: [] },
  });
  expect((await stats(`?since=${later}`)).body.data).toMatchObject({ since: later, executions: 0, last_run: null });
  expect((await stats("?since=2025-01-25T10:00:00%2B02:00")).body.data).toMatchObject({ since: "2025-01-25T08:00:00.000Z" });
  expect((await stats("?since=2025-01-25")).body.data).toMatchObject({ since: "2025-01-25T00:00:00.000Z", executions: 1 });
});

test.each(["yesterday", "2025-13-01", "2025-02-30", "1737799200", ""])("refuses since=%s", async (since) => {
  expect(await stats(`?since=${since}`)).toMatchObject({ status: 400, body: { errors: [{ path: "since" }] } });
});

test("of no workflow are not found", async () => {
  expect((await api.ask("GET", "/api/workflows/nothing/stats")).status).toBe(404);
});
