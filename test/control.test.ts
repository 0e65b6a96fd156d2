import { Client } from "@temporalio/client";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { TASK_QUEUE } from "../config.js";
import { SIGNAL } from "../contract/messages.js";
import { audit } from "../db/schema.js";
import { type Longhaul, longhaul } from "./support/longhaul.js";

let stack: Longhaul;
beforeAll(async () => {
  stack = await longhaul();
});

describe("steps", () => {
  test("are tried again as their policy says, each try visible", async () => {
    const run = await stack.start(
      file(`
        let tries = 0;
        return ctx.run("flaky", () => { if (++tries < 3) throw new Error("not yet " + tries); return tries; },
          { retry: { maxAttempts: 3, backoff: "fixed", initialDelayMs: 20 } });`),
    );

    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", output: 3 });
    expect(row.steps).toMatchObject([{ kind: "function", status: "completed", attempt: 3, max_attempts: 3 }]);
  });

  test("fail the run when their tries are used up, with the last error", async () => {
    const run = await stack.start(
      file(
        `await ctx.run("never", () => { throw new RangeError("too far"); }, { retry: { maxAttempts: 2, initialDelayMs: 10 } });`,
      ),
    );

    const row = await run.finished();

    expect(row).toMatchObject({ status: "failed", error: { type: "RangeError", message: "too far", step_id: "never" } });
    expect(row.steps).toMatchObject([{ status: "failed", attempt: 2, error: { type: "RangeError" } }]);
  });

  test("around a function have a time limit, too", async () => {
    const run = await stack.start(file(`await ctx.run("slow", async () => { await ctx.sleep("1 hour"); }, { timeout: 300 });`));

    expect(await run.finished()).toMatchObject({ status: "failed", error: { type: "timed_out", step_id: "slow" } });
  });

  test.each([
    [`ctx.sleep(1e99)`, `duration of "sleep" must be milliseconds or a text such as "2 hours", up to ten years, not 1e+99.`],
    [`ctx.sleep(-5)`, `duration of "sleep" must be milliseconds or a text such as "2 hours", up to ten years, not -5.`],
    [`ctx.sleep("soon")`, `duration of "sleep" must be milliseconds or a text such as "2 hours", up to ten years, not "soon".`],
    [
      `ctx.shell("true", { timeout: "30s" })`,
      `timeout of "true" must be a number of milliseconds, from 0 to ten years, not "30s".`,
    ],
    [
      `ctx.shell("true", { timeout: Infinity })`,
      `timeout of "true" must be a number of milliseconds, from 0 to ten years, not Infinity.`,
    ],
    [
      `ctx.shell("true", { retry: { maxAttempts: NaN } })`,
      `retry.maxAttempts of "true" must be a whole number, 1 or more, not NaN.`,
    ],
    [
      `ctx.run("x", () => ctx.shell("true", { idleTimeout: -1 }))`,
      `idleTimeout of "true" must be a number of milliseconds, from 0 to ten years, not -1.`,
    ],
    [
      `ctx.approve("ok?", { message: "?", deadline: 1e99 })`,
      `deadline of "ok?" must be milliseconds or a text such as "2 hours", up to ten years, not 1e+99.`,
    ],
  ])("are refused an option that makes no sense: %s", async (call, message) => {
    const run = await stack.start(file(`await ${call};`));

    expect(await run.finished()).toMatchObject({ status: "failed", error: { type: "invalid_input", message } });
  });

  test("of git show with the run: its branch and commit", async () => {
    const run = await stack.start(
      file(`
        await ctx.git.ensureBranch("feature/shown");
        await ctx.files.write("new.txt", "new");
        const { sha } = await ctx.git.commit("Add a file");
        return sha;`),
    );

    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", branch_name: "feature/shown", commit_sha: row.output });
  });

  test("may share a name: numbers count on, iterations tell them apart", async () => {
    const run = await stack.start(
      file(`for (const name of ["review", "implement", "review", "implement"]) await ctx.run(name, () => name);`),
    );

    const { steps } = await run.finished();

    expect(steps.map((step) => [step.step_number, step.step_id, step.iteration])).toEqual([
      [1, "review", 1],
      [2, "implement", 1],
      [3, "review", 2],
      [4, "implement", 2],
    ]);
  });

  test("of every type give a StepResult, and a failed one can be gone on from", async () => {
    const run = await stack.start(
      file(`
        const done = await ctx.step("sum", { type: "function", fn: () => 2 + 2 });
        const skipped = await ctx.step("not-now", { type: "function", fn: () => 1, if: false });
        const failed = await ctx.step("bad", { type: "function", fn: () => { throw new Error("no"); }, onFailure: "continue" });
        return { done, skipped, failed, again: ctx.getStepResult("sum") };`),
    );

    const row = await run.finished();

    expect(row.output).toEqual({
      done: { stepId: "sum", status: "completed", data: 4 },
      skipped: { stepId: "not-now", status: "skipped" },
      failed: { stepId: "bad", status: "failed", error: "no" },
      again: { stepId: "sum", status: "completed", data: 4 },
    });
    expect(row.steps.map((step) => step.status)).toEqual(["completed", "skipped", "failed"]);
  });

  test("move the run through its phases", async () => {
    const run = await stack.start(
      `import { defineWorkflow } from "longhaul";
       export default defineWorkflow({ name: "phased", phases: ["plan", "build"], async execute(ctx) {
         await ctx.run("think", () => 1);
         await ctx.run("make", () => 2, { phase: "build" });
         await ctx.run("polish", () => 3);
       } });`,
    );

    const row = await run.finished();

    expect(row.current_phase).toBe("build");
    expect(row.steps.map((step) => step.phase)).toEqual(["plan", "build", "build"]);
  });

  test("run side by side, all of them to their ends, before the first failure is thrown", async () => {
    const run = await stack.start(
      file(`
        await ctx.parallel([
          () => ctx.run("bad", async () => { throw new Error("first"); }),
          async () => { await ctx.sleep(300, { name: "wait" }); return ctx.run("slow", () => "done"); },
        ]);`),
    );

    const row = await run.finished();

    expect(row).toMatchObject({ status: "failed", error: { message: "first" } });
    expect(row.steps.find((step) => step.step_id === "slow")?.status).toBe("completed");
  });
});

describe("a run", () => {
  test("keeps its state, and says what it said", async () => {
    const run = await stack.start(
      file(`
        ctx.set("count", 1);
        await ctx.run("look", () => ctx.comment("looking"));
        ctx.set("count", ctx.get<number>("count")! + 1);
        ctx.set("gone", true);
        ctx.delete("gone");
        await ctx.commentExecution("all done", { why: "test" });
        return [ctx.has("count"), ctx.has("gone")];`),
    );

    const row = await run.finished();

    expect(row).toMatchObject({ output: [true, false], state: { count: 2 }, _count: { comments: 2 } });
  });

  test("waits while it sleeps, and says what for and until when", async () => {
    const run = await stack.start(file(`await ctx.sleep("5 seconds", { name: "nap" });`));

    const waiting = await run.until(({ status }) => status === "waiting");
    expect(waiting.waiting_for).toMatchObject({ kind: "timer", step_id: `${run.id}-1` });
    const asked = Date.parse(waiting.steps[0]?.started_at ?? "");
    expect(Date.parse(waiting.waiting_for?.until ?? "") - asked).toBeGreaterThanOrEqual(2_000);

    expect((await run.finished()).status).toBe("completed");
  });

  test("shows the author's line on Temporal's own page while a step is under way", async () => {
    const run = await stack.start(file(`await ctx.shell("sleep 30");`));
    await run.until(({ status }) => status === "running");
    const handle = stack.client.workflow.getHandle(run.id);

    await expect.poll(() => handle.query<string>("__stack_trace")).toMatch(/at \S*execute \(\S*definitions\/\S+\.ts:\d+:\d+\)/);

    await handle.cancel();
    await run.finished();
  });

  test("starts no further step while it is paused, and goes on when it is resumed", async () => {
    const run = await stack.start(file(`await ctx.sleep(2_500, { name: "first" }); return ctx.run("second", () => "went on");`));
    await run.until(({ status }) => status === "waiting");
    await signal(run.id, SIGNAL.pause);
    await run.until(({ status }) => status === "paused");
    await run.until(({ steps }) => steps[0]?.status === "completed");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const paused = await run.row();
    expect(paused).toMatchObject({ status: "paused", steps: [{ status: "completed" }] });
    expect(paused.steps).toHaveLength(1);

    await signal(run.id, SIGNAL.resume);
    expect(await run.finished()).toMatchObject({ status: "completed", output: "went on" });
  });

  test("ends as timed_out when its running time is over", async () => {
    const run = await stack.start(
      `import { activityTypes, defineWorkflow } from "longhaul";
       export const activities = { async slow() { await new Promise((r) => setTimeout(r, 20_000)); } };
       export default defineWorkflow({ name: "slow", timeout: 700, activities: activityTypes<typeof activities>(),
         async execute(ctx) { await ctx.activities.slow(); } });`,
    );

    const row = await run.finished();

    expect(row).toMatchObject({ status: "timed_out", error: { type: "timed_out" }, steps: [{ status: "cancelled" }] });
  });

  test("is cancelled, whatever it is doing", async () => {
    const run = await stack.start(
      file(`try { await ctx.sleep("1 hour"); } catch { /* goes on regardless */ } return "finished";`),
    );
    await run.until(({ status }) => status === "waiting");
    const handle = stack.client.workflow.getHandle(run.id);
    await handle.cancel();

    expect(await run.finished()).toMatchObject({ status: "cancelled", output: null });
    await expect.poll(async () => (await handle.describe()).status.name).toBe("CANCELLED");
  });

  test("fails when its code never comes to an end, and others go on meanwhile", async () => {
    const endless = await stack.start(file(`for (;;) {}`));
    const other = await stack.start(file(`return ctx.run("fine", () => 1);`));

    expect((await other.finished(60_000)).status).toBe("completed");
    const row = await endless.finished(90_000);
    expect(row).toMatchObject({ status: "failed", error: { type: "code_failed" } });
  }, 120_000);

  test("that Temporal's own page terminates is shown as cancelled", async () => {
    const run = await stack.start(file(`await ctx.sleep("1 hour");`));
    await run.until(({ status }) => status === "waiting");
    await stack.client.workflow.getHandle(run.id).terminate("enough");

    expect(await run.finished()).toMatchObject({
      status: "cancelled",
      error: { type: "terminated", message: "Terminated in Temporal: enough" },
    });
  });

  test("that is paused in Temporal's own page is shown as paused, and as running again", async () => {
    const run = await stack.start(file(`await ctx.sleep(4_000);`));
    await run.until(({ status }) => status === "waiting");
    const { workflowService } = stack.client.connection;
    const place = { namespace: stack.config.temporalNamespace, workflowId: run.id, identity: "someone", reason: "a look" };
    await workflowService.pauseWorkflowExecution({ ...place, requestId: "p1" });
    await run.until(({ status }) => status === "paused");

    await workflowService.unpauseWorkflowExecution({ ...place, requestId: "p2" });
    expect((await run.finished()).status).toBe("completed");
  });
});

describe("what Longhaul did not sign", () => {
  test("starts nothing, and leaves an audit row", async () => {
    const forger = new Client({ connection: stack.client.connection, namespace: stack.config.temporalNamespace });
    const forged = await forger.workflow.start("anything", {
      workflowId: "forged",
      taskQueue: TASK_QUEUE,
      args: [{ run_id: "forged" }],
    });
    await expect(forged.result()).rejects.toMatchObject({ cause: { type: "unauthorised_start" } });
    const bare = await forger.workflow.start("anything", { workflowId: "bare", taskQueue: TASK_QUEUE });
    await expect(bare.result()).rejects.toMatchObject({ cause: { type: "unauthorised_start" } });

    await expect
      .poll(async () =>
        (await stack.db.orm.select().from(audit).where(eq(audit.action, "forgery.refused"))).map(({ subject }) => subject),
      )
      .toEqual(["forged", "bare"]);
  });

  test("signals nothing: the run goes on", async () => {
    const run = await stack.start(file(`await ctx.sleep(1_000); return "untouched";`));
    await run.until(({ status }) => status === "waiting");
    const forger = new Client({ connection: stack.client.connection, namespace: stack.config.temporalNamespace });
    await forger.workflow.getHandle(run.id).signal(SIGNAL.pause, { id: "x", at: new Date().toISOString(), by: null });

    expect(await run.finished()).toMatchObject({ status: "completed", output: "untouched" });
  });
});

async function signal(runId: string, name: string): Promise<void> {
  const request = { id: `req-${name}-${runId}`, at: new Date().toISOString(), by: "local" };
  await stack.client.workflow.getHandle(runId).signal(name, request);
}

let files = 0;
function file(body: string): string {
  return `import { defineWorkflow } from "longhaul";
    export default defineWorkflow({ name: "flow ${++files}", async execute(ctx) {${body}\n} });`;
}
