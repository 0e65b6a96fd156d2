import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { markOf } from "../../local/process-mark.js";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { DEFINITIONS } from "./definitions.js";
import { gather } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { counterLines, processesOf } from "./traces.js";

const PROCESSES = {
  "does.ts": `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "does",
  input: z.object({ file: z.string(), commands: z.array(z.string()), idleTimeout: z.number().optional() }),
  async execute(ctx) {
    const { file, commands, idleTimeout } = ctx.input;
    for (const command of commands) await ctx.shell(command, { idleTimeout, env: { FILE: file } });
  },
});
`,
  "asks.ts": `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "asks",
  input: z.object({ idleTimeout: z.number().optional() }),
  async execute(ctx) {
    await ctx.agent("ask", "codex", "Do it.", { idleTimeout: ctx.input.idleTimeout });
  },
});
`,
};

/** Both parents of the daemon are gone before it tells its number; it has a session of its own, and goes on at SIGTERM. */
const DAEMON = `(setsid bash -c '(setsid bash -c "trap : TERM; echo \\$\\$ > $FILE; while :; do sleep 1; done" &) ' &) > /dev/null 2>&1 < /dev/null
until [ -s $FILE ]; do sleep 0.02; done`;
const LIVES = "kill -0 $(cat $FILE) && echo lives";
const GRACE_MS = 5_000;

let harness: Harness;
beforeAll(async () => {
  const folder = testFolder();
  const definitions = { ...DEFINITIONS, ...PROCESSES };
  harness = await Harness.start({ folder, definitions, settings: { LONGHAUL_CODEX_BIN: stubbornAgent(folder) } });
});
afterAll(() => harness?.stop());

describe.concurrent("what a step starts", () => {
  test("is killed when it ignores SIGTERM: an agent whose run is cancelled is gone within the grace period and 5 s (F23)", async () => {
    const run = await harness.begin("asks", {}, { counter: null, steps: 1 });
    await begun(run);
    const { status } = await harness.client.ask("POST", `/api/runs/${run.id}/cancel`, { body: {} });
    expect(status).toBeLessThan(300);

    await vi.waitFor(() => expect(processesOf([run.id])).toEqual([]), { timeout: GRACE_MS + 5_000, interval: 50 });
    await harness.client.finished(run.id);
    expect(await endOf(run)).toMatchObject({ status: "cancelled" });
  });

  test("is killed when it says nothing for too long: the agent's step fails and says so (F23, F25)", async () => {
    const run = await harness.begin("asks", { idleTimeout: 4_000 }, { counter: null, steps: 1 });
    await begun(run);
    await harness.client.finished(run.id);

    const message = "Nothing was heard of the step for 4 s.";
    expect(await endOf(run)).toMatchObject({ status: "failed", error: { type: "idle_timed_out", message, step_id: "ask" } });
    expect(processesOf([run.id])).toEqual([]);
  });

  test("may take longer than it may be silent: a command fails by its silence, and what it said is kept (F25)", async () => {
    const talks = "for n in 1 2 3 4 5 6 7; do echo $n; sleep 0.5; done";
    const run = await does([talks, "echo last words; sleep 600"], { idleTimeout: 3_000 });
    await harness.client.finished(run.id);

    expect(await endOf(run)).toMatchObject({ status: "failed", error: { type: "idle_timed_out" } });
    const [first, second] = await harness.client.all(`/api/runs/${run.id}/steps`);
    expect(first).toMatchObject({ status: "completed", output: { stdout: "1\n2\n3\n4\n5\n6\n7\n" } });
    expect(second).toMatchObject({ status: "failed", output: { stdout: "last words\n" } });
    expect(processesOf([run.id])).toEqual([]);
  });

  test.each([
    ["completed", [DAEMON, LIVES]],
    ["failed", [DAEMON, LIVES, "exit 1"]],
  ])("is ended with its run, %s: a daemon that left its group, its session and its parents (F24)", async (status, commands) => {
    const run = await does(commands);
    await harness.client.finished(run.id);

    expect(await endOf(run)).toMatchObject({ status });
    const [, looks] = await harness.client.all(`/api/runs/${run.id}/steps`);
    expect(looks.output.stdout).toBe("lives\n");
    expect(isThere(run)).toBe(false);
    expect(processesOf([run.id])).toEqual([]);
  });

  test("does not hold its step up: what keeps the output open lives on, and is ended with the run (F27)", async () => {
    const run = await does(["(sleep 600 & echo $! > $FILE); echo said; exit 0", LIVES]);
    await harness.client.finished(run.id);

    expect(await endOf(run)).toMatchObject({ status: "completed" });
    const steps = await harness.client.all(`/api/runs/${run.id}/steps`);
    expect(steps.map(({ output }) => output.stdout)).toEqual(["said\n", "lives\n"]);
    expect(isThere(run)).toBe(false);
    expect(processesOf([run.id])).toEqual([]);
  });
});

test("after all of this nothing is lost, left behind or told otherwise by a rebuild", { timeout: 120_000 }, async () => {
  expect(check(await gather(harness, { rebuilt: true }))).toEqual([]);
});

/** Codex, as far as Longhaul knows: it tells that it has begun, then says nothing and hears no SIGTERM. */
function stubbornAgent(folder: string): string {
  const program = join(folder, "codex");
  const script = `#!/bin/bash
[ "$1" = --version ] && echo codex-cli 0.169.0 && exit
trap '' TERM
echo begun > "${folder}/counters/$LONGHAUL_RUN_ID"
while :; do sleep 1; done
`;
  writeFileSync(program, script, { mode: 0o755 });
  return program;
}

async function begun({ id }: WatchedRun): Promise<void> {
  const file = join(harness.folder, "counters", id);
  await vi.waitFor(() => expect(counterLines(file)).toEqual(["begun"]), { timeout: 30_000, interval: 20 });
}

/** Each has a file of its own, $FILE. */
async function does(commands: readonly string[], more: object = {}): Promise<WatchedRun & { file: string }> {
  const file = join(harness.folder, "counters", `does-${files++}`);
  const run = await harness.begin("does", { file, commands, ...more }, { counter: null, steps: commands.length });
  return { ...run, file };
}
let files = 0;

async function endOf({ id }: WatchedRun): Promise<{ status: string; error: unknown }> {
  return (await harness.client.insist("GET", `/api/runs/${id}`)).body.data;
}

/** The process whose number is in the run's file. */
function isThere({ file }: { file: string }): boolean {
  return markOf(Number(counterLines(file)[0])) !== undefined;
}
