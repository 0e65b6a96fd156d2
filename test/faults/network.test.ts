import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { gather } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { Namespace } from "./namespace.js";
import { Random } from "./random.js";
import { long, SEED } from "./seed.js";
import { counterLines } from "./traces.js";

let network: Namespace | undefined;
let harness: Harness;
beforeAll(async () => {
  network = await Namespace.create().catch((error: Error) => {
    console.warn(`SKIPPED: a worker cannot be cut off here (F28): ${error.message}`);
    return undefined;
  });
  if (network) harness = await Harness.start({ folder: testFolder(), worker: network.worker() });
});
afterAll(async () => {
  await harness?.stop();
  await network?.remove();
});

test("a worker that is cut off from Temporal and Postgres goes on when the network is back, and does nothing twice (F28)", {
  timeout: 300_000,
}, async ({ skip }) => {
  if (!network) return skip("There are no network namespaces here.");
  const [shell, activity] = [await harness.count("count-shell", 12), await harness.count("count-activity", 12)];
  await lines(shell, 2);
  await sleep(new Random(SEED).between(0, 400)); // into whichever part of a step
  await network.down();
  await sleep(long ? 60_000 : 8_000);
  const meanwhile = counterLines(shell.counter ?? "").length;
  await network.up();
  for (const run of [shell, activity]) await harness.client.finished(run.id, 180_000);

  expect(meanwhile).toBeLessThan(12);
  expect(check(await gather(harness, { rebuilt: true }))).toEqual([]);
  for (const run of [shell, activity]) expect(counterLines(run.counter ?? "")).toHaveLength(12);
});

async function lines(run: WatchedRun, count: number): Promise<void> {
  await expect
    .poll(() => counterLines(run.counter ?? "").length, { timeout: 60_000, interval: 20 })
    .toBeGreaterThanOrEqual(count);
}
