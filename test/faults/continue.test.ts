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
  "count-code.ts": `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "count-code",
  input: z.object({ file: z.string(), items: z.array(z.number()) }),
  async execute(ctx) {
    for (const item of ctx.input.items) {
      await ctx.shell(\`sleep 0.05; echo \${item} $EPOCHREALTIME >> \${ctx.input.file}; sleep 0.05\`, { name: "s" });
      ctx.set("item", item);
    }
  },
});
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

test("runs whose worker is killed before and after they go on in a further execution have no seam (F2)", {
  timeout: 240_000,
}, async () => {
  const items = Array.from({ length: ITEMS }, (_, i) => i + 1);
  const [plan, code] = await Promise.all([begin("count-plan"), begin("count-code")]);
  await until(() => [plan, code].every(({ counter }) => counterLines(counter ?? "").length >= 20));
  await harness.kill9("worker");
  await Promise.all([plan, code].map((run) => until(async () => (await executionOf(run)) !== run.first)));
  await harness.kill9("worker");
  await Promise.all([plan, code].map(({ id }) => harness.client.finished(id, 180_000)));

  for (const { id, counter, stream } of [plan, code]) {
    expect(new Set(counterLines(counter ?? ""))).toEqual(new Set(items.map(String)));
    const steps = await harness.client.all(`/api/runs/${id}/steps`);
    expect(steps.map(({ step_number, iteration, status }) => [step_number, iteration, status])).toEqual(
      items.map((n) => [n, n, "completed"]),
    );
    const told = stream.seen.filter(({ type }) => type === "workflow.execution.status_changed").map(({ data }) => data.status);
    expect(told).toEqual(["pending", "running", "completed"]);
  }
  expect(check(await gather(harness, { afterwards: false, rebuilt: true }))).toEqual([]);

  async function begin(name: string) {
    const counter = `${harness.folder}/counters/${name}`;
    const run = await harness.begin(name, { file: counter, items }, { counter, steps: ITEMS });
    return { ...run, first: await executionOf(run) };
  }
});

async function executionOf({ id }: WatchedRun): Promise<string | undefined> {
  return (await harness.client.insist("GET", `/api/runs/${id}`)).body.data.temporal.run_id ?? undefined;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(10)) if (await holds()) return;
  throw new Error("It did not come to this within two minutes.");
}
