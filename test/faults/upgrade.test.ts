import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { DEFINITIONS, PLANS } from "./definitions.js";
import { gather } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { editedBuild, recordedBuild } from "./older-build.js";
import { Random } from "./random.js";
import { long, SEED } from "./seed.js";
import { counterLines } from "./traces.js";

const STEPS = 16;

let harness: Harness;
beforeAll(async () => {
  const folder = testFolder();
  const build = (long ? recordedBuild : editedBuild)(join(folder, "older"));
  harness = await Harness.start({ folder, build, definitions: { ...DEFINITIONS, ...PLANS } });
}, 900_000);
afterAll(() => harness?.stop());

test("runs under way when Longhaul is replaced by a newer one go on there to their ends (F37)", {
  timeout: 240_000,
}, async () => {
  const random = new Random(SEED);
  const counting = [await harness.count("count-shell", STEPS), await harness.count("count-activity", STEPS)];
  const [asks, listens] = [await begin("asks"), await begin("listens"), await begin("rests")];
  await reached(asks, "workflow.approval.requested");
  for (const run of counting) await expect.poll(() => counterLines(run.counter ?? "").length).toBeGreaterThan(1);
  await sleep(random.between(0, 1_000));
  if (random.between(0, 1) === 1) await harness.killAll();
  else await harness.stack.stop();
  const done = counting.map(({ counter }) => counterLines(counter ?? "").length);
  await harness.startAgain();
  writeFileSync(join(harness.folder, "counters", "listens.go"), "");
  await tell(asks, "approvals/ask", { answer: "approve" });
  await tell(listens, "events/deployed", { url: "https://stage.example" });
  for (const { id } of harness.runs) await harness.client.finished(id);

  for (const lines of done) expect(lines).toBeLessThan(STEPS);
  for (const { id, workflow } of harness.runs) {
    const { status, error } = (await harness.client.insist("GET", `/api/runs/${id}`)).body.data;
    expect({ workflow, status, error }).toEqual({ workflow, status: "completed", error: null });
  }
  expect(check(await gather(harness, { rebuilt: true }))).toEqual([]);
});

function begin(workflow: string): Promise<WatchedRun> {
  const file = join(harness.folder, "counters", workflow);
  return harness.begin(workflow, { file, rest: 4_000 }, { counter: null, steps: 0 });
}

async function tell({ id }: WatchedRun, what: string, body: object): Promise<void> {
  await harness.client.insist("POST", `/api/runs/${id}/${what}`, { body });
}

async function reached({ stream }: WatchedRun, type: string): Promise<void> {
  await expect.poll(() => stream.seen.some((event) => event.type === type), { timeout: 60_000, interval: 50 }).toBe(true);
}
