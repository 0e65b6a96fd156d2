// A pause of mode `now`: what is under way is stopped in the middle, and gone on with when the run is resumed.
import { existsSync } from "node:fs";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { getRun } from "../db/runs.js";
import type { ModelServer } from "../local/model-server.js";
import { processesOf } from "./faults/traces.js";
import { codeOf, inTree, planOf, statusesOf } from "./support/flows.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";
import { type Ask, served } from "./support/served.js";

let model: ModelServer;
let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  model = await scriptedModel();
  stack = await longhaul();
  ask = await served(stack);
});
beforeEach(() => {
  model.requests.length = 0;
});

/** Other agents' turns take long: `npm run pauses` has them. */
const OTHERS = (process.env.LONGHAUL_PAUSE_AGENTS ?? "").split(",").filter(Boolean);

/** Hangs the first time, fails the second, and is done the third. */
const THIRD = `n=$(cat tries 2>/dev/null || echo 0); echo $((n + 1)) > tries; [ $n = 0 ] && sleep 600; [ $n = 2 ]`;
/** Hangs the first time. */
const ONCE_HANGING = (name: string) => `[ -e ${name} ] && exit; touch ${name}; sleep 600`;

describe("pause now", { timeout: 60_000 }, () => {
  test("stops an agent in the middle of its turn; after a restart of the worker the same session goes on, and nothing is paid twice", async () => {
    const run = await code(`
      const { text, filesChanged } = await ctx.agent("work", {
        prompt: "[[write one.txt 1]] [[slow 2500]] [[write two.txt 2]] [[say Both are there.]]", permission: "acceptEdits" });
      return { text, filesChanged };`);
    await run.until((row) => made(row, "one.txt") && model.requests.length === 2);

    const paused = await pausedNow(run);
    expect(paused.steps).toMatchObject([
      { status: "waiting", attempt: 1, waiting_for: { kind: "resume" }, session: { status: "running" } },
    ]);
    const { session } = paused.steps[0]!;
    await stack.worker.stop();
    stack.worker = await stack.startWorker();
    await resume(run);
    const row = await run.finished();

    expect(row).toMatchObject({
      status: "completed",
      output: { text: "Both are there.", filesChanged: ["one.txt", "two.txt"] },
      steps: [{ status: "completed", attempt: 1, waiting_for: null, sessions: [{ id: session?.id, status: "completed" }] }],
    });
    expect(paused.steps[0]?.agent_session_id).toBe(row.steps[0]?.agent_session_id);
    const paid = model.requests.flatMap(({ used }) => used ?? []);
    expect(paid).toHaveLength(3); // the write, the other write, the last word
    expect(row.usage).toMatchObject({ turns: 3, input_tokens: sum(paid.map(({ input_tokens }) => input_tokens)) });
  });

  test.each(OTHERS)("stops %s in the middle of its answer, and goes on in its session", async (provider) => {
    const run = await code(`return (await ctx.agent("work", "${provider}", "[[slow 4000]] [[say Said once.]]")).text;`);
    await run.until(({ steps }) => model.requests.length === 1 && steps[0]?.session?.status === "running");
    const { steps } = await pausedNow(run);
    await resume(run);
    const row = await run.finished();

    expect(row.error).toBeNull();
    expect(row).toMatchObject({
      status: "completed",
      output: "Said once.",
      steps: [{ attempt: 1, sessions: [{ status: "completed" }] }],
    });
    expect(row.steps[0]?.agent_session_id).toBe(steps[0]?.agent_session_id);
    expect(model.requests.flatMap(({ used }) => used ?? [])).toHaveLength(1);
  });

  test("stops a command, which runs again as an attempt that costs it none of its retries", async () => {
    const run = await code(
      `await ctx.shell(${JSON.stringify(THIRD)}, { name: "work", retry: { maxAttempts: 2, initialDelayMs: 10 } });`,
    );
    await run.until((row) => made(row, "tries"));
    const paused = await pausedNow(run);
    expect(paused.steps).toMatchObject([{ status: "waiting", waiting_for: { kind: "resume" } }]);

    await resume(run);
    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", steps: [{ attempt: 3, max_attempts: 2 }] });
    const { body } = await ask("GET", `/api/steps/${run.id}-1`);
    expect((body.data as { attempts: unknown }).attempts).toMatchObject([
      { number: 1, status: "stopped", error: { type: "paused" } },
      { number: 2, status: "failed", error: { type: "shell_failed" } },
      { number: 3, status: "completed" },
    ]);
  });

  test("stops all that a plan does at once, and lets what is short, or may be done once only, come to its end", async () => {
    const run = await plan(`
  - { key: command, command: "${ONCE_HANGING("c")}" }
  - { key: agent, agent: claude, prompt: "[[slow 2000]] [[say Here.]]" }
  - { key: once, command: "touch begun; sleep 1; echo once", retry: false }
  - { key: after, command: "true", dependencies: [once] }`);
    await run.until((row) => made(row, "c") && made(row, "begun") && model.requests.length === 1);
    await pausedNow(run, ({ steps }) => steps.find(({ step_id }) => step_id === "once")?.status === "completed");
    const states = statusesOf(await run.row());
    expect(states).toMatchObject({ command: "waiting", agent: "waiting", once: "completed" });
    expect(states).not.toHaveProperty("after");

    await resume(run);
    expect(statusesOf(await run.finished())).toMatchObject({ command: "completed", agent: "completed", after: "completed" });
  });

  test("reaches what a function does, which waits with its time standing still", async () => {
    const run = await code(`
      let calls = 0;
      return ctx.run("all", async () => {
        calls++;
        const { text } = await ctx.agent("look", { prompt: "[[slow 1500]] [[say Seen.]]" });
        await ctx.shell(${JSON.stringify(ONCE_HANGING("f"))});
        return { text, calls };
      }, { timeout: 60_000 });`);
    await run.until(() => model.requests.length === 1);
    await pausedNow(run);
    expect(await timersOf(run)).toEqual({ started: 2, cancelled: 2 }); // its own limit, and the run's
    await resume(run);
    await run.until((row) => made(row, "f"), 20_000);
    const { steps } = await pausedNow(run);
    expect(steps).toMatchObject([{ kind: "function", status: "waiting", waiting_for: { kind: "resume" } }]);
    await resume(run);

    expect(await run.finished()).toMatchObject({ status: "completed", output: { text: "Seen.", calls: 1 } });
  });

  test("reaches a panel's agents and runs below, and resumes only what it has paused", async () => {
    await code(`if (ctx.input.fresh) await ctx.shell(ctx.input.command);`, "below").then((run) => run.finished());
    const run = await code(`
      const below = (key) => ctx.child("below", { fresh: true, command: "touch " + key + "; while [ ! -e ../go-" + key + " ]; do sleep 0.1; done" }, { key });
      await ctx.parallel([
        () => below("own"),
        () => below("other"),
        () => ctx.agents("panel", "[[slow 8000]] [[say Yes.]]", { providers: ["claude", { provider: "claude", name: "second" }] }),
      ]);`);
    const children = async () => {
      const { body } = await ask("GET", `/api/runs?parent_run_id=${run.id}`);
      return (body.data as RunRow[]).toSorted((a, b) => a.id.localeCompare(b.id));
    };
    await run.until(() => model.requests.length === 2);
    await expect.poll(async () => (await children()).map(({ steps }) => steps[0]?.status)).toEqual(["running", "running"]);
    const [own] = await children();
    await ask("POST", `/api/runs/${own!.id}/pause`, { mode: "now" });

    const paused = await pausedNow(run);
    await expect
      .poll(async () => (await children()).map(({ status, steps }) => [status, steps[0]?.status]))
      .toEqual([
        ["paused", "waiting"],
        ["paused", "waiting"],
      ]);
    expect(processesOf((await children()).map(({ id }) => id))).toEqual([]);
    expect(statusesOf(paused)).toMatchObject({ "panel.claude": "waiting", "panel.second": "waiting" });

    await resume(run);
    await expect.poll(async () => (await children()).map(({ status }) => status)).toEqual(["paused", "running"]);
    await run.until(({ steps }) => steps.some(({ step_id, status }) => step_id === "panel" && status === "completed"));
    expect((await ask("POST", `/api/runs/${run.id}/cancel`, { reason: "enough" })).status).toBe(200);
    expect((await getRun(stack.db, own!.id)).status).toBe("cancelled");
  });

  test("comes after a pause at a boundary, too; a run that stands still is cancelled", async () => {
    const run = await code(`await ctx.shell("sleep 600");`);
    await run.until(({ steps }) => steps[0]?.status === "running");
    await ask("POST", `/api/runs/${run.id}/pause`);
    await run.until(({ status }) => status === "paused");
    await expect.poll(() => processesOf([run.id])).not.toEqual([]); // it is to end by itself

    await pausedNow(run);
    expect((await ask("POST", `/api/runs/${run.id}/cancel`)).status).toBe(200);
    expect(await run.row()).toMatchObject({ status: "cancelled", steps: [{ status: "cancelled", waiting_for: null }] });
  });
});

/** The run as it is when nothing of it runs any more. */
async function pausedNow(run: StartedRun, and: (row: RunRow) => boolean = () => true): Promise<RunRow> {
  const { status, body } = await ask("POST", `/api/runs/${run.id}/pause`, { mode: "now" });
  expect([status, (body.data as RunRow).status]).toEqual([200, "paused"]);
  const busy = ["running", "retrying"];
  const row = await run.until((now) => and(now) && now.steps.every((s) => !busy.includes(s.status) || isGathering(s, now)));
  expect(processesOf([run.id])).toEqual([]);
  expect((await run.row()).status).toBe("paused");
  return row;
}

/** It is done by others: a panel by its agents, a step by a run. */
function isGathering({ kind, step_id }: RunRow["steps"][number], { steps }: RunRow): boolean {
  return kind === "workflow" || steps.some((other) => other.step_id.startsWith(`${step_id}.`));
}

async function timersOf({ id }: StartedRun): Promise<{ started: number; cancelled: number }> {
  const { events } = await stack.client.workflow.getHandle(id).fetchHistory();
  const counted = (is: (event: NonNullable<typeof events>[number]) => unknown) => events?.filter(is).length ?? 0;
  const started = counted((event) => event.timerStartedEventAttributes);
  return { started, cancelled: counted((event) => event.timerCanceledEventAttributes) };
}

async function resume(run: StartedRun): Promise<void> {
  expect((await ask("POST", `/api/runs/${run.id}/resume`)).status).toBe(200);
}

function made(row: RunRow, name: string): boolean {
  return existsSync(inTree(stack, row, name));
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function code(body: string, name?: string): Promise<StartedRun> {
  return stack.start(codeOf(body, name));
}

function plan(steps: string): Promise<StartedRun> {
  return stack.start(planOf(steps), { ending: ".yaml" });
}
