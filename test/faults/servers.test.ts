import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { testFolder } from "../support/stack.js";
import { check, checkRun } from "./checker.js";
import { gather } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import type { OutageServer } from "./servers.js";
import { counterLines } from "./traces.js";

/** `npm run faults` keeps servers away for longer. */
const long = process.env.LONGHAUL_FAULTS === "long";

let harness: Harness;
let temporal: OutageServer;
let postgres: OutageServer;
beforeAll(async () => {
  harness = await Harness.start({ folder: testFolder(), ownServers: true });
  if (!harness.servers) throw new Error("The servers are not ours.");
  ({ temporal, postgres } = harness.servers);
});
afterAll(() => harness?.stop());

test("Temporal that is killed and comes back within a second takes nothing with it", async () => {
  const run = await harness.count("count-shell", 6);
  await lines(run, 2);
  await temporal.outage(1_000);
  await harness.client.finished(run.id);

  await expectSound(run);
  expect(counterLines(run.counter ?? "")).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("a step that ends while Temporal is away is not done again", { timeout: 180_000 }, async () => {
  const file = join(harness.folder, "counters", "away");
  const run = await harness.command(`sleep 2; echo done >> ${file}`);
  await harness.client.insist("GET", `/api/runs/${run.id}`);
  await vi.waitFor(async () => expect((await harness.client.all(`/api/runs/${run.id}/steps`)).length).toBe(1), {
    timeout: 20_000,
    interval: 50,
  });
  await sleep(500);
  await temporal.outage(long ? 45_000 : 20_000);
  await harness.client.finished(run.id);

  await expectSound(run);
  expect(counterLines(file)).toEqual(["done"]);
});

test("Postgres that is killed with all its processes comes back to everything that was told", async () => {
  const run = await harness.count("count-shell", 12);
  await lines(run, 2);
  await postgres.outage(3_000);
  await harness.client.finished(run.id);

  await expectSound(run);
  expect(counterLines(run.counter ?? "")).toHaveLength(12);
});

test("with Postgres away the API says so, runs go on, and what was missed is told afterwards without a hole", {
  timeout: 240_000,
}, async () => {
  const away = long ? 60_000 : 15_000;
  const steps = Math.ceil(away / 200);
  const run = await harness.count("count-shell", steps);
  await lines(run, 2);
  await postgres.stop();
  const began = Date.now();
  const before = counterLines(run.counter ?? "").length;

  const answer = await harness.client.ask("GET", `/api/runs/${run.id}`);
  expect(answer.status).toBe(503);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(answer.body).toMatchObject({ status: 503, code: "postgres_unavailable" });
  expect((await harness.client.ask("POST", "/api/runs", { body: { workflow: "count-shell" } })).status).toBe(503);
  await lines(run, Math.min(steps, before + 10));
  await sleep(away - (Date.now() - began));
  await postgres.start();
  await harness.client.finished(run.id);

  await expectSound(run);
  expect(counterLines(run.counter ?? "")).toHaveLength(steps);
});

test("a run that comes to its end while Postgres is away ends when it is back, with all that it told", {
  timeout: 120_000,
}, async () => {
  const run = await harness.count("count-shell", 5);
  await lines(run, 1);
  await postgres.stop();
  await lines(run, 5);
  await sleep(6_000); // longer than the gate is tried as part of the workflow task
  await postgres.start();

  await harness.client.finished(run.id);

  await expectSound(run);
});

test("after all of this nothing is lost, left behind or told otherwise by a rebuild", { timeout: 120_000 }, async () => {
  expect(check(await gather(harness, { rebuilt: true }))).toEqual([]);
});

async function lines(run: WatchedRun, count: number): Promise<void> {
  for (const end = Date.now() + 60_000; counterLines(run.counter ?? "").length < count; await sleep(20))
    if (Date.now() > end) throw new Error(`There are ${counterLines(run.counter ?? "").length} lines instead of ${count}.`);
}

async function expectSound(run: WatchedRun): Promise<void> {
  const found = (await gather(harness, { afterwards: false })).runs.find(({ run_id }) => run_id === run.id);
  expect(found && checkRun(found, harness.kills)).toEqual([]);
}
