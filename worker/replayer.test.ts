import { pino } from "pino";
import { beforeAll, expect, test } from "vitest";
import { type Longhaul, longhaul } from "../test/support/longhaul.js";
import { whenThrough } from "../test/support/stack.js";
import { type History, Replayer } from "./replayer.js";

let stack: Longhaul;
let id: string;
let history: History;
beforeAll(async () => {
  stack = await longhaul();
  const run = await stack.start(
    `import { defineWorkflow } from "longhaul";
     export default defineWorkflow({ name: "one", async execute(ctx) { await ctx.shell("true"); } });`,
  );
  id = run.id;
  const handle = stack.client.workflow.getHandle(id);
  // The row says that a run has finished before Temporal has heard of it: only a closed history is whole.
  await handle.result();
  history = await handle.fetchHistory();
});

test("replays go through one process, and after some through a new one: what they leave behind does not gather", async () => {
  const replayer = replayerOf({ mostReplays: 3 });
  const processes: (number | undefined)[] = [];
  for (let i = 0; i < 7; i++) {
    const facts = replayer.facts(id, history);
    await expect.poll(() => replayer.pid).toBeDefined();
    processes.push(replayer.pid);
    expect((await facts).at(-1)).toMatchObject({ type: "run.finished", status: "completed" });
  }

  expect(new Set(processes).size).toBe(3);
  expect(processes.slice(0, 3)).toEqual(Array(3).fill(processes[0]));
});

test("a process without work is given up, and the next replay has a new one", async () => {
  const replayer = replayerOf({ idleMs: 50 });
  await replayer.facts(id, history);

  await expect.poll(() => replayer.pid).toBeUndefined();

  expect((await replayer.facts(id, history)).at(0)).toMatchObject({ type: "run.created" });
});

function replayerOf(options: { mostReplays?: number; idleMs?: number }): Replayer {
  const replayer = new Replayer({ home: stack.config.home, log: pino({ level: "silent" }), ...options });
  whenThrough(async () => replayer.stop());
  return replayer;
}
