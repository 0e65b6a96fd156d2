import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readConfig } from "../../config.js";
import { childEnvironment } from "../../local/child-environment.js";
import { type Supervised, supervise } from "../../local/processes.js";
import { builtFile } from "../../package-root.js";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { DEFINITIONS } from "./definitions.js";
import { gather } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { Random } from "./random.js";
import { SEED } from "./seed.js";
import { counterLines, processesOf } from "./traces.js";

/** A step that acts, and says which try it was when that is told to end. */
const TRIES = `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "tries",
  input: z.object({ file: z.string() }),
  async execute(ctx) {
    const command = 'echo 1 $EPOCHREALTIME >> $FILE; [ "$LONGHAUL_ATTEMPT" = 1 ] && try=first || try=later; ';
    const wait = 'until [ -e $FILE.$try ]; do sleep 0.02; done; echo $try';
    await ctx.shell(command + wait, { name: "act", env: { FILE: ctx.input.file } });
  },
});
`;

const random = new Random(SEED);

let harness: Harness;
let second: Supervised | undefined;
beforeAll(async () => {
  harness = await Harness.start({ folder: testFolder(), definitions: { ...DEFINITIONS, "tries.ts": TRIES } });
});
afterAll(async () => {
  await second?.stop();
  await harness?.stop();
});

test("a worker that stood still while another one did its steps again: what it says of them afterwards is refused (F34)", async () => {
  const runs = [await begin(), await begin()] as const;
  const [open, over] = runs;
  for (const run of runs) await acted(run, 1);
  await sleep(random.between(0, 1_000));
  const first = harness.stack.pids().worker ?? 0;
  process.kill(first, "SIGSTOP");
  harness.kills.push(performance.timeOrigin + performance.now());
  try {
    for (const run of runs) end(run, "first"); // and nobody hears of it
    await vi.waitFor(() => expect(processesOf(runs.map(({ id }) => id))).toEqual([]), 20_000);
    second = secondWorker();
    for (const run of runs) await acted(run, 2);
    end(over, "later");
    await harness.client.finished(over.id);
  } finally {
    process.kill(first, "SIGCONT");
  }

  const log = join(harness.home, "logs", "worker.log");
  const refused = new RegExp(`Attempt \\d at activity \\d+ of ${open.id} was overtaken by a later one`);
  await vi.waitFor(() => expect(readFileSync(log, "utf8")).toMatch(refused), 30_000);
  await vi.waitFor(async () => expect(await outputOf(open)).toBe("first\n"), 30_000);
  expect(recordedOutcomes(open)).toEqual([]);
  end(open, "later");
  await harness.client.finished(open.id);

  for (const { id } of runs) {
    const [step] = await harness.client.all(`/api/runs/${id}/steps`);
    expect(step).toMatchObject({ status: "completed", output: { stdout: "later\n" } });
    const { attempts } = (await harness.client.insist("GET", `/api/steps/${step.id}`)).body.data;
    const [last, ...before] = attempts.map(({ status }: { status: string }) => status).reverse();
    // Temporal gives tries to the one that stands still, too, as long as it holds what that has asked for.
    expect([last, ...new Set(before)]).toEqual(["completed", "lost"]);
  }
  expect(harness.stack.pids().worker).toBe(first);
}, 240_000);

test("after all of this nothing is lost, left behind or told otherwise by a rebuild", { timeout: 120_000 }, async () => {
  await second?.stop();
  expect(check(await gather(harness, { rebuilt: true }))).toEqual([]);
});

/** One more for the same queue, on the same machine. */
function secondWorker(): Supervised {
  const { home, stack } = harness;
  const env = childEnvironment(readConfig({ LONGHAUL_HOME: home }), home, stack);
  const logFile = join(home, "logs", "second-worker.log");
  return supervise({ name: "second worker", script: builtFile("local/worker-main.js"), env, logFile }, () => {});
}

async function begin(): Promise<WatchedRun & { file: string }> {
  const file = join(harness.folder, "counters", `tries-${harness.runs.length}`);
  return { ...(await harness.begin("tries", { file }, { counter: file, steps: 1 })), file };
}

/** What the step has said so far. */
async function outputOf({ id }: WatchedRun): Promise<string> {
  return (await harness.client.all(`/api/runs/${id}/logs`)).map(({ text }) => text).join("");
}

/** Of the run, in the journals of all workers. */
function recordedOutcomes({ id }: WatchedRun): string[] {
  const folder = join(harness.home, "journal");
  const lines = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
  return lines.filter((line) => line.includes(`"${id}"`) && line.includes('"kind":"close"'));
}

/** Resolves when so many tries of the run have acted. */
async function acted({ file }: { file: string }, tries: number): Promise<void> {
  await vi.waitFor(() => expect(counterLines(file)).toHaveLength(tries), { timeout: 120_000, interval: 20 });
}

function end({ file }: { file: string }, which: "first" | "later"): void {
  writeFileSync(`${file}.${which}`, "");
}
