import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { testFolder } from "../support/stack.js";
import { check, checkRun } from "./checker.js";
import { gather, type Promised, quiet } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { Load } from "./load.js";
import { dropMirror, rowsOf } from "./mirror.js";
import { Random } from "./random.js";
import { long, SEED } from "./seed.js";
import type { OutageServer } from "./servers.js";
import { counterLines } from "./traces.js";

let harness: Harness;
let temporal: OutageServer;
let postgres: OutageServer;
beforeAll(async () => {
  harness = await Harness.start({ folder: testFolder(), ownServers: true });
  if (!harness.servers) throw new Error("The servers are not ours.");
  ({ temporal, postgres } = harness.servers);
});
// A test that fails leaves both to the next.
afterEach(async () => {
  for (const server of [temporal, postgres]) server.thaw();
  await Promise.all([temporal.start(), postgres.start()]);
});
afterAll(() => harness?.stop());

const promised: Promised[] = [];

test("Temporal that is killed and comes back within a second takes nothing with it (F6)", async () => {
  const run = await harness.count("count-shell", 6);
  await lines(run, 2);
  await temporal.outage(1_000);
  await harness.client.finished(run.id);

  await expectSound(run);
  expect(counterLines(run.counter ?? "")).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("a step that ends while Temporal is away is not done again (F7)", { timeout: 180_000 }, async () => {
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

test("Postgres that is killed with all its processes comes back to everything that was told (F9)", async () => {
  const run = await harness.count("count-shell", 12);
  await lines(run, 2);
  await postgres.outage(3_000);
  await harness.client.finished(run.id);

  await expectSound(run);
  expect(counterLines(run.counter ?? "")).toHaveLength(12);
});

test("with Postgres away the API says so, runs go on, and what was missed is told afterwards without a hole (F10)", {
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

test("a run that comes to its end while Postgres is away ends when it is back, with all that it told (F10)", {
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

test.each([
  ["Temporal", "F8", () => temporal],
  ["Postgres", "F9", () => postgres],
])(
  "%s that is killed at random moments under load has all that was answered, once (%s)",
  { timeout: 300_000 },
  async (...given) => {
    const [, fault, server] = given;
    const random = new Random(SEED * 100 + Number(fault.slice(1)));
    const load = new Load(harness);
    for (let kill = 1; kill <= (long ? 6 : 2); kill++) {
      await sleep(random.between(300, 3_000));
      await server().outage(random.between(0, 2_000));
    }
    await load.stop();
    promised.push(...load.promised);

    await expectSound(...load.runs);
  },
);

test.each([
  ["Temporal", () => temporal, "temporal_unavailable", 10_000, [503]],
  // Not as long as the API waits for an answer: the request may be late, and no more.
  ["Postgres", () => postgres, "postgres_unavailable", 4_000, [201, 503]],
] as const)(
  "%s that stands still: calls are answered in time, and what was accepted is there, once (F29)",
  {
    timeout: 240_000,
  },
  async (_, server, code, still, statuses) => {
    const run = await harness.count("count-shell", 20);
    await lines(run, 2);
    const path = `/api/runs/${run.id}/comments`;
    const wanted = `heard of ${code}`;
    server().freeze();
    const thawed = sleep(long ? 30_000 : still).then(() => server().thaw());
    const answer = await harness.client.ask("POST", path, { body: { text: wanted } }).finally(() => thawed);

    expect(long ? [503] : statuses).toContain(answer.status);
    if (answer.status === 503) expect(answer.body.code).toBe(code);
    if (answer.status === 201) promised.push({ run_id: run.id, kind: "comment", id: answer.body.data.id, wanted });
    await harness.client.finished(run.id);
    await expectSound(run);
  },
);

test("the mirror's schema is dropped: the API says so, and a rebuild gives back every row (F12)", {
  timeout: 240_000,
}, async () => {
  await quiet(harness);
  const { databaseUrl } = harness.stack;
  const before = await rowsOf(databaseUrl);
  await dropMirror(databaseUrl);
  const answer = await harness.client.ask("GET", "/api/runs");
  await harness.rebuild();
  const after = await rowsOf(databaseUrl);

  expect(answer).toMatchObject({ status: 503, body: { code: "tables_missing" } });
  expect(check(await gather(harness, { promised, rebuilt: { before, after } }))).toEqual([]);
});

async function lines(run: WatchedRun, count: number): Promise<void> {
  for (const end = Date.now() + 60_000; counterLines(run.counter ?? "").length < count; await sleep(20))
    if (Date.now() > end) throw new Error(`There are ${counterLines(run.counter ?? "").length} lines instead of ${count}.`);
}

async function expectSound(...wanted: readonly WatchedRun[]): Promise<void> {
  const { runs } = await gather(harness, { promised, afterwards: false });
  const found = runs.filter(({ run_id }) => wanted.some(({ id }) => id === run_id));
  expect(found).toHaveLength(wanted.length);
  expect(found.flatMap((run) => checkRun(run, harness.kills))).toEqual([]);
}
