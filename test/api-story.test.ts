import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { beforeAll, expect, test } from "vitest";
import { createApp } from "../api/app.js";
import { EventFeed } from "../api/event-feed.js";
import { Logins } from "../api/login-codes.js";
import { createApiServer } from "../api/server.js";
import { DEFAULT_RETENTION } from "../contract/retention.js";
import { createDeployChecker } from "../worker/deploy-check.js";
import { createLoader } from "../worker/load.js";
import { type Longhaul, longhaul } from "./support/longhaul.js";
import { whenThrough } from "./support/stack.js";

const TOKEN = "a-token-for-tests-0123456789";
const SLOW = `import { defineWorkflow } from "longhaul";
export default defineWorkflow({ name: "slow", async execute(ctx) {
  await ctx.shell("echo first");
  await ctx.sleep(1500);
  await ctx.shell("echo second");
  return { done: true };
} });
`;

let it: Longhaul;
let url: string;

beforeAll(async () => {
  it = await longhaul();
  const log = pino({ level: process.env.LONGHAUL_TEST_LOG ?? "silent" });
  const feed = new EventFeed(it.db, it.config.databaseUrl ?? "", log);
  feed.start();
  const server = createApiServer(
    createApp({
      db: it.db,
      temporal: it.client,
      loader: createLoader(),
      checker: createDeployChecker({ db: it.db, client: it.client, home: it.config.home }),
      feed,
      logins: new Logins(TOKEN),
      config: {
        home: it.config.home,
        host: "127.0.0.1",
        auth: "token",
        allowedHosts: [],
        keep: DEFAULT_RETENTION,
        continueAfter: 4_000,
      },
      log,
      version: "0.0.0",
      namespace: it.config.temporalNamespace,
      uiUrl: null,
      token: TOKEN,
      checkAnswers: true,
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await (await it.start(SLOW)).finished();
  whenThrough(async () => {
    await feed.stop();
    server.closeAllConnections();
    server.close();
  });
});

async function ask(method: string, path: string, body?: object) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${TOKEN}`, ...(body ? { "Content-Type": "application/json" } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  return { status: response.status, text, data: text.startsWith("{") ? JSON.parse(text).data : undefined };
}

async function status(id: string): Promise<string> {
  return (await ask("GET", `/api/runs/${id}`)).data.status;
}

test("a run started over HTTP is followed to its end", async () => {
  const { data: run } = await ask("POST", "/api/runs", { workflow: "slow" });
  const { text } = await ask("GET", `/api/runs/${run.id}/events`);
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

  expect(ids).toEqual(ids.map((_, i) => i + 1));
  expect(text).toContain('"status":"completed"');
  expect(text).toContain("event: workflow.step.progress");
  expect((await ask("GET", `/api/runs/${run.id}`)).data).toMatchObject({ status: "completed", output: { done: true } });
});

test("a comment, a pause and a resume reach the run", async () => {
  const { data: run } = await ask("POST", "/api/runs", { workflow: "slow" });
  expect((await ask("POST", `/api/runs/${run.id}/comments`, { text: "hello" })).status).toBe(201);
  expect((await ask("POST", `/api/runs/${run.id}/pause`)).data.status).toBe("paused");
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(await status(run.id)).toBe("paused");
  expect((await ask("POST", `/api/runs/${run.id}/resume`)).data.status).toBe("running");

  await expect.poll(() => status(run.id), { timeout: 30_000 }).toBe("completed");
  expect((await ask("GET", `/api/runs/${run.id}/comments`)).data).toHaveLength(1);
});

test("a cancelled run is cancelled when the answer is 200", async () => {
  const { data: run } = await ask("POST", "/api/runs", { workflow: "slow" });
  await expect
    .poll(async () => (await ask("GET", `/api/runs/${run.id}`)).data._count.steps, { timeout: 20_000 })
    .toBeGreaterThan(0);
  const cancelled = await ask("POST", `/api/runs/${run.id}/cancel`, { reason: "enough" });

  expect(cancelled).toMatchObject({ status: 200, data: { status: "cancelled" } });
  expect((await ask("DELETE", `/api/runs/${run.id}`)).status).toBe(204);
  expect((await ask("GET", `/api/runs/${run.id}`)).status).toBe(404);
});

test("a deleted run leaves nothing of its own in the project or at home", async () => {
  const { data: run } = await ask("POST", "/api/runs", { workflow: "slow" });
  await expect.poll(() => status(run.id), { timeout: 30_000 }).toBe("completed");
  const git = (...args: string[]) => execFileSync("git", args, { cwd: it.project, encoding: "utf8" });
  const left = () =>
    [it.project, it.config.home]
      .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }))
      .concat(git("worktree", "list"), git("for-each-ref"))
      .filter((place) => place.includes(run.id) && !place.includes("journal")); // forgotten once Temporal has all of it
  expect(left().length).toBeGreaterThan(5);

  expect((await ask("DELETE", `/api/runs/${run.id}`)).status).toBe(204);
  await expect.poll(left).toEqual([]);
});

test("it is ready while a worker asks for work", async () => {
  expect((await ask("GET", "/readyz")).data).toMatchObject({ status: "ready" });
});
