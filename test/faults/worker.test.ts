import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { testFolder } from "../support/stack.js";
import { check, checkRun } from "./checker.js";
import { gather } from "./evidence.js";
import { Harness } from "./harness.js";
import { counterLines, processesOf, residentBytes } from "./traces.js";

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start({ folder: testFolder() });
});
afterAll(() => harness?.stop());

const MIB = 1024 * 1024;
const GRACE_MS = 5_000;

test.each([
  ["as a step begins", "F1", "activity:begun", 1, 1],
  ["between the effect and its record", "F3", "activity:done", 2, 1],
  ["between the record and its report", "F4", "activity:recorded", 1, 0],
] as const)("a worker that dies %s loses nothing and says what may be done twice (%s)", async (_, _fault, point, lines, lost) => {
  harness.order(`${point} 2`);
  const run = await harness.count("count-shell", 3);
  await harness.followed();
  await harness.client.finished(run.id);

  const found = (await gather(harness, { afterwards: false })).runs.find(({ run_id }) => run_id === run.id);
  expect(found && checkRun(found, harness.kills)).toEqual([]);
  expect(counterLines(run.counter ?? "").filter((line) => line === "2")).toHaveLength(lines);
  expect(found?.steps[1]?.attempts.filter(({ status }) => status === "lost")).toHaveLength(lost);
});

test.each(["one-command", "one-activity"] as const)(
  "a worker that dies before the effect (%s): what it has started is ended with it, and acts once (F2)",
  async (workflow) => {
    const file = join(harness.folder, "counters", workflow);
    const run = await harness.command(`echo begin >> ${file}; sleep 0.5; echo acted >> ${file}; sleep 1`, workflow);
    await vi.waitFor(() => expect(counterLines(file)).toEqual(["begin"]), { timeout: 20_000, interval: 5 });
    await harness.kill9("worker");
    await harness.client.finished(run.id);

    expect(counterLines(file)).toEqual(["begin", "begin", "acted"]);
  },
);

test("a worker that dies while a command runs: the command is ended before it runs again (F2)", async () => {
  const file = join(harness.folder, "counters", "hanging");
  const run = await harness.command(`echo begin >> ${file}; [ "$LONGHAUL_ATTEMPT" = 1 ] && sleep 600; echo end >> ${file}`);
  await vi.waitFor(() => expect(counterLines(file)).toEqual(["begin"]), { timeout: 20_000, interval: 20 });
  await harness.kill9("worker");
  await harness.client.finished(run.id);

  expect(counterLines(file)).toEqual(["begin", "begin", "end"]);
  expect(processesOf([run.id])).toEqual([]);
  const [step] = await harness.client.all(`/api/runs/${run.id}/steps`);
  const { body } = await harness.client.insist("GET", `/api/steps/${step.id}`);
  expect(body.data.attempts.map(({ status }: { status: string }) => status)).toEqual(["lost", "completed"]);
});

test("a gigabyte of output without a line's end stays out of the worker's memory, with head and tail kept (F26)", async () => {
  const run = await harness.command(`printf HEAD; head -c 1G /dev/zero | tr '\\0' x; printf TAIL`);
  const worker = harness.stack.pids().worker ?? 0;
  let most = 0;
  const looking = setInterval(() => {
    most = Math.max(most, residentBytes(worker));
  }, 20);
  await harness.client.finished(run.id).finally(() => clearInterval(looking));

  expect(harness.stack.pids().worker).toBe(worker);
  expect(most).toBeGreaterThan(50 * MIB);
  // To be counted for coverage takes memory of its own.
  expect(most).toBeLessThan((process.env.NODE_V8_COVERAGE ? 350 : 300) * MIB);
  const [step] = await harness.client.all(`/api/runs/${run.id}/steps`);
  expect(step.status).toBe("completed");
  expect(step.output.stdout).toMatch(/^HEADx+[^x]+x+TAIL$/s);
  const log = (await harness.client.all(`/api/runs/${run.id}/logs?step_id=${step.id}`)).map(({ text }) => text).join("");
  expect(log).toMatch(/^HEADx+[^x]*bytes left out[^x]*x+TAIL$/s);
  expect(log.length).toBeLessThan(MIB);
  console.log(`Worker at most ${Math.round(most / MIB)} MiB.`);
}, 180_000);

test("a cancelled command that ignores SIGTERM and has left a daemon is gone within the grace period and 5 s (F23, F24)", async () => {
  const ready = join(harness.folder, "counters", "stubborn");
  const daemon = `setsid nohup bash -c 'trap "" TERM; while :; do sleep 1; done' > /dev/null 2>&1 < /dev/null &`;
  const run = await harness.command(`${daemon} trap '' TERM; echo ready > ${ready}; while :; do sleep 1; done`);
  await vi.waitFor(() => expect(counterLines(ready)).toEqual(["ready"]), { timeout: 20_000, interval: 50 });
  expect(processesOf([run.id]).length).toBeGreaterThanOrEqual(2);

  const began = Date.now();
  const { status } = await harness.client.ask("POST", `/api/runs/${run.id}/cancel`, { body: {} });
  expect([200, 202]).toContain(status);
  await vi.waitFor(() => expect(processesOf([run.id])).toEqual([]), { timeout: GRACE_MS + 5_000, interval: 50 });
  await harness.client.finished(run.id);
  console.log(`All of the cancelled run was gone after ${Date.now() - began} ms.`);
  expect((await harness.client.insist("GET", `/api/runs/${run.id}`)).body.data.status).toBe("cancelled");
});

test("what the dead workers' journals have goes as the runs are settled", async () => {
  await vi.waitFor(() => expect(readdirSync(join(harness.home, "journal"))).toEqual([]), { timeout: 60_000, interval: 200 });
}, 90_000);

test("after all of this nothing is lost, left behind or told otherwise by a rebuild", async () => {
  expect(check(await gather(harness, { rebuilt: true }))).toEqual([]);
}, 120_000);
