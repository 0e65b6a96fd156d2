import { beforeAll, describe, expect, test } from "vitest";
import { getRun, listRuns } from "../db/runs.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
  for (const [name, body] of Object.entries(CHILDREN))
    await (await stack.start(definition(name, body), { input: {} })).finished();
});

/** Workflows that others run. Each is run once by itself, so that it is there; with `fresh` it does what it is for. */
const CHILDREN: Record<string, string> = {
  double: `return ctx.input.fresh ? ctx.input.n * 2 : 0;`,
  failing: `if (ctx.input.fresh) await ctx.shell("echo no such target >&2; exit 3", { name: "make" });`,
  asking: `return ctx.input.fresh ? (await ctx.approve("sure", { message: "Sure?" })).approved : null;`,
  flaky: `if (ctx.input.fresh && !ctx.runId.endsWith("_2")) throw new TypeError("not the second"); return ctx.runId;`,
  deep: `return ctx.input.fresh ? 1 + (await ctx.child("deep", { fresh: true })) : 0;`,
  writing: `if (!ctx.input.fresh) return;
    const had = await ctx.files.exists("from-parent.txt");
    await ctx.files.write("from-child.txt", "child");
    return { had, path: ctx.projectPath };`,
  slow: `if (ctx.input.fresh) { await ctx.sleep(1_500); await ctx.run("after", () => 1); }`,
};

describe("a child", () => {
  test("is a run of its own that gives its output, and both know each other", async () => {
    const run = await stack.start(parent(`return ctx.child("double", { fresh: true, n: 21 }, { runName: "Twice 21" });`));

    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", output: 42 });
    const [step] = row.steps;
    expect(step).toMatchObject({ kind: "workflow", step_id: "double", status: "completed", output: 42 });
    const run_id = childIn(row);
    const { body } = await ask("GET", `/api/runs?parent_run_id=${run.id}`);
    expect(body.data).toMatchObject([
      { id: run_id, name: "Twice 21", status: "completed", output: 42, triggered_by: "workflow" },
    ]);
  });

  test("works in a tree of its own, or in its parent's", async () => {
    const run = await stack.start(
      parent(`
        await ctx.files.write("from-parent.txt", "parent");
        const own = await ctx.child("writing", { fresh: true }, { key: "own" });
        const shared = await ctx.child("writing", { fresh: true }, { key: "shared", workspace: "parent" });
        return { own, shared, path: ctx.projectPath, found: await ctx.files.exists("from-child.txt") };`),
    );

    const { output } = await run.finished();

    const { own, shared, path, found } = output as Record<string, { had: boolean; path: string }> & { path: string };
    expect({ own: own?.had, shared: shared?.had, found }).toEqual({ own: false, shared: true, found: true });
    expect(shared?.path).toBe(path);
    expect(own?.path).not.toBe(path);
  });

  test("that fails fails its step, with its own error", async () => {
    const run = await stack.start(parent(`await ctx.child("failing", { fresh: true });`));

    const row = await run.finished();

    const run_id = childIn(row);
    expect(row).toMatchObject({
      status: "failed",
      error: { type: "child_failed", step_id: "failing", message: expect.stringContaining(run_id) },
      steps: [{ status: "failed", output: { run_id, status: "failed", error: { type: "shell_failed" } } }],
    });
    expect(await getRun(stack.db, run_id)).toMatchObject({ status: "failed", parent_run_id: run.id });
  });

  test("is started anew by a retry", async () => {
    const run = await stack.start(
      parent(`return ctx.child("flaky", { fresh: true }, { retry: { maxAttempts: 2, initialDelayMs: 10 } });`),
    );

    const row = await run.finished();

    const run_id = childIn(row);
    expect(row).toMatchObject({ status: "completed", output: `${run_id}_2`, steps: [{ attempt: 2 }] });
    const { items } = await listRuns(stack.db, { limit: 10, parent_run_id: run.id });
    expect(items.map(({ id, status }) => [id, status])).toEqual([
      [`${run_id}_2`, "completed"],
      [run_id, "failed"],
    ]);
  });

  test("is cancelled with its parent, which is over only then", async () => {
    const run = await stack.start(parent(`await ctx.child("asking", { fresh: true });`));
    const child = await childOf(run, "waiting");

    expect((await ask("POST", `/api/runs/${run.id}/cancel`)).status).toBe(200);

    expect(await getRun(stack.db, child)).toMatchObject({ status: "cancelled", steps: [{ status: "cancelled" }] });
    expect(await run.row()).toMatchObject({ status: "cancelled", steps: [{ status: "cancelled" }] });
  });

  test("that is cancelled itself fails its parent's step", async () => {
    const run = await stack.start(parent(`await ctx.child("asking", { fresh: true });`));
    await ask("POST", `/api/runs/${await childOf(run, "waiting")}/cancel`);

    expect(await run.finished()).toMatchObject({
      status: "failed",
      error: { type: "child_failed" },
      steps: [{ output: { status: "cancelled" } }],
    });
  });

  test("is paused and resumed with its parent", async () => {
    const run = await stack.start(parent(`await ctx.child("slow", { fresh: true });`));
    const child = await childOf(run, "waiting");

    await ask("POST", `/api/runs/${run.id}/pause`);
    await expect.poll(async () => (await getRun(stack.db, child)).status).toBe("paused");
    await ask("POST", `/api/runs/${run.id}/resume`);

    expect((await run.finished()).status).toBe("completed");
    expect((await getRun(stack.db, child)).status).toBe("completed");
  });

  test("has a time limit of its own: its parent's stands still meanwhile", async () => {
    const run = await stack.start(parent(`await ctx.child("slow", { fresh: true });`), { timeout_ms: 1_200 });

    expect((await run.finished()).status).toBe("completed");
  });

  test("survives the worker", async () => {
    const run = await stack.start(parent(`return ctx.child("asking", { fresh: true });`));
    const child = await childOf(run, "waiting");
    await stack.worker.stop();
    stack.worker = await stack.startWorker();
    await ask("POST", `/api/runs/${child}/approvals/sure`, { answer: "approve" });

    expect(await run.finished()).toMatchObject({ status: "completed", output: true });
  });

  test("may start children, ten deep at most", async () => {
    const run = await stack.start(parent(`return ctx.child("deep", { fresh: true });`));

    const row = await run.finished(90_000);

    expect(row).toMatchObject({
      status: "failed",
      error: { type: "child_failed", message: expect.stringContaining("10 others") },
    });
  }, 100_000);
});

test.each([
  ["that is not there", `ctx.child("nobody")`, "workflow_missing"],
  ["whose input does not fit", `ctx.child("double", "no object")`, "invalid_input"],
  ["inside another step", `ctx.run("both", () => ctx.child("double"))`, "invalid_step"],
])("a child %s is not started", async (_, call, type) => {
  const run = await stack.start(parent(`await ${call};`));

  expect(await run.finished()).toMatchObject({ status: "failed", error: { type } });
  expect((await listRuns(stack.db, { limit: 10, parent_run_id: run.id })).items).toEqual([]);
});

/** The id of the run that the first step is. */
function childIn({ steps: [step] }: RunRow): string {
  const { run_id } = (step?.input ?? expect.fail("The run has no step.")) as { run_id: string };
  return run_id;
}

/** The id of the run's child, once it is as asked. */
async function childOf(run: StartedRun, status: string): Promise<string> {
  const row = await run.until(({ steps }) => steps[0]?.kind === "workflow");
  const run_id = childIn(row);
  await expect.poll(async () => (await getRun(stack.db, run_id).catch(() => null))?.status, { timeout: 20_000 }).toBe(status);
  return run_id;
}

let files = 0;
function parent(body: string): string {
  return definition(`parent ${++files}`, body);
}

function definition(name: string, body: string): string {
  return `import { defineWorkflow } from "longhaul";
    import { z } from "zod";
    const input = z.object({ fresh: z.boolean().optional(), n: z.number().default(1) });
    export default defineWorkflow({ name: "${name}", input, async execute(ctx): Promise<any> {${body}\n} });`;
}
