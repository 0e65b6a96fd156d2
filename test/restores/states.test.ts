// Runs are taken back from whatever they are at.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { ModelServer } from "../../local/model-server.js";
import { processesOf } from "../faults/traces.js";
import type { Reply } from "../support/api.js";
import { answer } from "../support/example-project.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun, type StartOptions } from "../support/longhaul.js";
import { scriptedModel } from "../support/scripted-model.js";
import { type Ask, served } from "../support/served.js";
import { testFolder } from "../support/stack.js";

let model: ModelServer;
let stack: Longhaul;
let ask: Ask;
/** The model that gives no answer. */
let hanging: string | undefined;
beforeAll(async () => {
  const moves = (_: unknown, { model: name }: { model: string }) => [
    hanging === name ? { hang: true as const } : answer({ ok: true }),
  ];
  model = await scriptedModel({ rules: [{ when: /^Vote/, moves }] });
  stack = await longhaul();
  ask = await served(stack);
});

describe("a restore", () => {
  test.concurrent.each<[state: string, stop: (run: StartedRun, go: () => void) => Promise<unknown>, options?: StartOptions]>([
    ["paused", (run, go) => paused(run, "boundary", go)],
    ["paused in the middle of a step", (run) => paused(run, "now")],
    ["cancelled", (run) => cancelled(run)],
    ["timed out", (run) => run.until(({ status }) => status === "timed_out"), { timeout_ms: 10_000 }],
  ])("of a run that is %s has it go on from there", async (state, stop, options) => {
    const { effects, go } = files();
    const run = await stack.start(
      workflow(
        state,
        `const do_ = (name, then = "true") => ctx.shell("echo " + name + " >> ${effects}; echo " + name + " >> all.txt; " + then, { name });
         await do_("one");
         await do_("two", "until test -e ${effects}.go; do sleep 0.05; done");
         await do_("three");
         return ctx.files.read("all.txt");`,
      ),
      options,
    );
    await until(() => readFileSync(effects, "utf8").includes("two"));
    await stop(run, go);
    go();

    const reply = await restore(run, `${run.id}-k1`);

    expect(reply).toMatchObject({
      status: 200,
      body: { data: { resume_count: 1, paused_at: null, steps: [{ step_id: "one" }] } },
    });
    expect(await run.finished()).toMatchObject({
      status: "completed",
      error: null,
      paused_at: null,
      cancelled_at: null,
      output: "one\ntwo\nthree\n",
    });
    expect(readFileSync(effects, "utf8")).toBe("one\ntwo\ntwo\nthree\n");
    expect(processesOf([run.id])).toEqual([]);
  });

  test.concurrent.each(["own", "parent"])(
    "ends the runs below, in a tree of their %s, and has them begun anew",
    async (workspace) => {
      const { effects, go } = files();
      const child = `child in ${workspace}`;
      await started(
        child,
        `await ctx.shell("echo child >> ${effects}; echo x >> child.txt; until test -e ${effects}.go; do sleep 0.05; done", { name: "long" });
      return ctx.files.read("child.txt");`,
      );
      const run = await stack.start(
        workflow(
          `parent of ${child}`,
          `await ctx.shell("echo one >> ${effects}", { name: "one" });
         return ctx.child("${child}", { fresh: true }, { workspace: "${workspace}" });`,
        ),
      );
      await until(() => readFileSync(effects, "utf8").includes("child"));
      const first = await childOf(run);

      await restore(run, `${run.id}-k1`);

      await until(async () => (await read(first)).status === "cancelled");
      await until(() => readFileSync(effects, "utf8") === "one\nchild\nchild\n");
      expect(processesOf([first])).toEqual([]);
      go();
      expect(await run.finished()).toMatchObject({ status: "completed", output: "x\n" });
      expect(await childOf(run)).not.toBe(first);
    },
  );

  test("of a run that another one waits for, or that works in its tree, is refused", async () => {
    const { effects, go } = files();
    const child = "child that stays";
    const long = `await ctx.shell("true", { name: "first" }); await ctx.shell("until test -e ${effects}.go; do sleep 0.05; done", { name: "long" });`;
    await started(child, long);
    const begin = (key: string, workspace: string) =>
      `() => ctx.child("${child}", { fresh: true }, { key: "${key}", workspace: "${workspace}" })`;
    const run = await stack.start(
      workflow("parent that stays", `await ctx.parallel([${begin("own", "own")}, ${begin("shared", "parent")}]);`),
    );
    const { steps } = await run.until((row) => row.steps.length === 2);
    const ids = steps.map(({ input }) => (input as { run_id: string }).run_id);
    for (const id of ids)
      await expect.poll(async () => (await ask("GET", `/api/runs/${id}/checkpoints`)).body.page?.total).toBe(1);
    const back = async () => {
      const replies = await Promise.all(ids.map((id) => ask("POST", `/api/runs/${id}/restore`, { checkpoint_id: `${id}-k1` })));
      return replies.map(({ status, body }) => [status, (body as { code?: string }).code]);
    };

    const meanwhile = await back();
    go();
    await run.finished();
    const afterwards = await back();

    const refused = [409, "in_parents_tree"];
    expect(meanwhile).toEqual([refused, refused]);
    expect(afterwards).toEqual([[200, undefined], refused]);
    await expect.poll(async () => read(ids[0] ?? "")).toMatchObject({ status: "completed", resume_count: 1 });
  });

  test("before a question to several agents that was open asks all of them again", async () => {
    hanging = "slow";
    const run = await stack.start(
      workflow(
        "panel",
        `await ctx.shell("true", { name: "one" });
         const agents = ["quick", "slow"].map((model) => ({ provider: "claude", name: model, model }));
         const schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] };
         return ctx.agents("ask", "Vote", { providers: agents, schema });`,
      ),
    );
    await run.until(({ steps }) => steps.some(({ step_id, status }) => step_id === "ask.quick" && status === "completed"));
    await expect.poll(() => model.requests.some(({ conversation }) => conversation.model === "slow")).toBe(true);
    hanging = undefined;

    const reply = await restore(run, `${run.id}-k3`);

    const kept: RunRow = reply.body.data;
    expect(kept.steps.map(({ step_id }) => step_id)).toEqual(["one"]);
    const row = await run.finished();
    expect(row).toMatchObject({ status: "completed", output: { quick: { data: { ok: true } }, slow: { data: { ok: true } } } });
    expect(row.steps.map(({ step_number, step_id }) => `${step_number} ${step_id}`)).toEqual([
      "1 one",
      "5 ask",
      "6 ask.quick",
      "7 ask.slow",
    ]);
  });

  test("of a run whose workflow has changed since is not what a retry does: what it was is gone on with by a restore alone", async () => {
    const { effects, go } = files();
    const source = (word: string) =>
      workflow(
        "changing",
        `await ctx.shell("echo one", { name: "one" });
         return (await ctx.shell("test -e ${effects}.go && echo ${word}", { name: "two" })).stdout;`,
      );
    const run = await stack.start(source("early"));
    const failed = await run.finished();
    expect((await ask("PUT", `/api/workflows/${failed.workflow_id}`, { definition: source("late") })).status).toBe(200);
    go();

    const retried = await ask("POST", `/api/runs/${run.id}/retry`);

    expect(retried).toMatchObject({ status: 409, body: { code: "version_changed" } });
    expect(await run.row()).toMatchObject({ status: "failed", resume_count: 0 });
    const forked: RunRow = (await ask("POST", `/api/runs/${run.id}/fork`, { step_number: 2, revision: 2 })).body.data;
    await expect.poll(async () => (await read(forked.id)).output).toBe("late\n");
    await restore(run, `${run.id}-k1`);
    expect(await run.finished()).toMatchObject({ status: "completed", output: "early\n", workflow_revision: 1 });
  });
});

async function paused(run: StartedRun, mode: "boundary" | "now", go: () => void = () => {}): Promise<void> {
  expect((await ask("POST", `/api/runs/${run.id}/pause`, { mode })).status).toBe(200);
  go();
  await run.until(({ status, steps }) => status === "paused" && steps[1]?.status === (mode === "now" ? "waiting" : "completed"));
}

async function cancelled(run: StartedRun): Promise<void> {
  await ask("POST", `/api/runs/${run.id}/cancel`);
  await run.until(({ status }) => status === "cancelled");
}

/** A file that steps write to outside of their tree; they wait until `go` was called. */
function files() {
  const effects = join(testFolder(), "effects");
  writeFileSync(effects, "");
  return { effects, go: () => writeFileSync(`${effects}.go`, "") };
}

/** Have a workflow there that others run. It is run once by itself, for which it does nothing. */
async function started(name: string, body: string): Promise<void> {
  const run = await stack.start(workflow(name, `if (!ctx.input.fresh) return null; ${body}`));
  await run.finished();
}

async function childOf(run: StartedRun): Promise<string> {
  const row = await run.until(({ steps }) => steps.at(-1)?.kind === "workflow");
  const { run_id } = (row.steps.at(-1)?.input ?? {}) as { run_id: string };
  await until(async () => (await ask("GET", `/api/runs/${run_id}`)).status === 200);
  return run_id;
}

/** Tests side by side cannot have their patience from `expect`. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) if (await holds()) return;
  throw new Error(`It has not come to this within a minute: ${holds}`);
}

async function read(id: string): Promise<RunRow> {
  return (await ask("GET", `/api/runs/${id}`)).body.data;
}

function restore(run: StartedRun, checkpoint_id: string): Promise<Reply> {
  return ask("POST", `/api/runs/${run.id}/restore`, { checkpoint_id });
}

function workflow(name: string, body: string): string {
  return `import { defineWorkflow } from "longhaul";
import { z } from "zod";
const input = z.object({ fresh: z.boolean().optional() });
export default defineWorkflow({ name: "${name}", input, async execute(ctx): Promise<any> { ${body} } });
`;
}
