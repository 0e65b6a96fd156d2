import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { gather } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { counterLines } from "./traces.js";

const ITEMS = 60;
const DEFINITIONS = {
  "count-plan.yaml": `
name: count-plan
steps:
  - id: s
    type: script
    for_each: "{{ args.items }}"
    command: 'sleep 0.05; echo {{ item }} $EPOCHREALTIME >> {{ args.file }}; sleep 0.05; echo done {{ item }}'
`,
};

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start({
    folder: testFolder(),
    definitions: DEFINITIONS,
    settings: { LONGHAUL_CONTINUE_AFTER: "150" },
  });
});
afterAll(() => harness?.stop());

test("a run whose worker is killed before and after it goes on in a further execution has no seam", {
  timeout: 240_000,
}, async () => {
  const items = Array.from({ length: ITEMS }, (_, i) => i + 1);
  const counter = `${harness.folder}/counters/plan`;
  const run = await harness.begin("count-plan", { file: counter, items }, { counter, steps: ITEMS });
  const first = await executionOf(run);
  await until(() => counterLines(counter).length >= 20);
  await harness.kill9("worker");
  await until(async () => (await executionOf(run)) !== first);
  await harness.kill9("worker");
  await harness.client.finished(run.id, 180_000);

  expect(new Set(counterLines(counter))).toEqual(new Set(items.map(String)));
  const steps = await harness.client.all(`/api/runs/${run.id}/steps`);
  expect(steps.map(({ step_number, iteration, status }) => [step_number, iteration, status])).toEqual(
    items.map((n) => [n, n, "completed"]),
  );
  const told = run.stream.seen.filter(({ type }) => type === "workflow.execution.status_changed").map(({ data }) => data.status);
  expect(told).toEqual(["pending", "running", "completed"]);
  expect(check(await gather(harness, { afterwards: false, rebuilt: true }))).toEqual([]);
});

async function executionOf({ id }: WatchedRun): Promise<string | undefined> {
  return (await harness.client.insist("GET", `/api/runs/${id}`)).body.data.temporal.run_id ?? undefined;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(10)) if (await holds()) return;
  throw new Error("It did not come to this within two minutes.");
}
