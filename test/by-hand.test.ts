// A person's hand on single steps, on many runs, and on runs in Temporal's own page.
import { existsSync } from "node:fs";
import { eq, like } from "drizzle-orm";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { BulkResult } from "../contract/bulk.js";
import { listComments } from "../db/comments.js";
import { audit } from "../db/schema.js";
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

describe("a step under way", { timeout: 60_000 }, () => {
  test("is skipped: what it does is stopped first, and the run says who did it and why", async () => {
    const run = await plan(`
  - { key: hangs, command: "touch begun; sleep 600", retry: { maxAttempts: 3 } }
  - { key: after, command: "echo \${hangs}", dependencies: [hangs] }
  - { key: other, command: "true", dependencies: [hangs] }`);
    await run.until((row) => made(row, "begun"));

    const reply = await hand("skip", `${run.id}-1`, { reason: "not needed" });
    expect(reply).toMatchObject({
      status: 200,
      body: { data: { step_id: "hangs", status: "skipped", output: null, error: null } },
    });
    expect(processesOf([run.id])).toEqual([]);
    const row = await run.finished();

    expect(statusesOf(row)).toMatchObject({ hangs: "skipped", other: "completed" });
    const { items } = await listComments(stack.db, run.id, { limit: 10 });
    expect(items).toMatchObject([{ text: 'local skipped "hangs": not needed', step_id: `${run.id}-1`, comment_type: "system" }]);
    expect(await auditOf(`${run.id}-1`)).toMatchObject([
      { userId: "local", action: "step.skip", data: { run_id: run.id, key: "hangs", was: "running", reason: "not needed" } },
    ]);
    expect(await hand("skip", `${run.id}-1`)).toMatchObject({ status: 409, body: { code: "finished" } });
  });

  test("is completed by hand, with what its schema takes; later steps go on with it, and a paused run keeps its pause", async () => {
    const run = await code(`
      const { data } = await ctx.agent("plan", { prompt: "[[hang]]", schema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } });
      const { stdout, exitCode } = await ctx.shell("sleep 600", { name: "list" });
      await ctx.sleep("1 hour", { name: "nap" });
      return { n: data.n, stdout, exitCode };`);
    const wants = model.requests.length + 1;
    await run.until(() => model.requests.length === wants);
    await ask("POST", `/api/runs/${run.id}/pause`, { mode: "now" });
    await run.until(({ steps }) => steps[0]?.status === "waiting");

    const wrong = await hand("complete", `${run.id}-1`, { output: { n: "many" } });
    expect(wrong).toMatchObject({ status: 400, body: { errors: [{ path: "output.n" }] } });
    expect(await hand("complete", `${run.id}-1`, { output: { n: 7 } })).toMatchObject({
      status: 200,
      body: { data: { status: "completed", output: { data: { n: 7 } }, session: { status: "cancelled" } } },
    });
    expect((await run.row()).status).toBe("paused");
    await ask("POST", `/api/runs/${run.id}/resume`);
    await run.until(({ steps }) => steps[1]?.status === "running");
    expect((await hand("complete", `${run.id}-2`, { output: { exitCode: "x" } })).status).toBe(400);
    expect((await hand("complete", `${run.id}-2`, { output: "a.txt" })).status).toBe(200);
    await run.until(({ status }) => status === "waiting");
    expect((await hand("complete", `${run.id}-3`)).status).toBe(200);

    expect(await run.finished()).toMatchObject({ status: "completed", output: { n: 7, stdout: "a.txt", exitCode: 0 } });
    expect(await auditOf(`${run.id}-2`)).toMatchObject([{ action: "step.complete" }]);
  });

  test("is tried again at once that would wait for its next try; what does not wait is not", async () => {
    const run = await code(`
      const slow = { retry: { maxAttempts: 2, initialDelayMs: 3_600_000, maxDelayMs: 3_600_000 } };
      await ctx.shell("[ -e again ] && exit; touch again; exit 1", { name: "flaky", ...slow });
      await ctx.approve("sure", { message: "Sure?" });
      return (await ctx.step("left", { type: "script", command: "exit 1", ...slow })).status;`);
    await run.until(({ steps }) => steps[0]?.status === "retrying");

    expect((await hand("retry", `${run.id}-1`)).status).toBe(200);
    await run.until(({ status }) => status === "waiting");
    expect((await run.row()).steps[0]).toMatchObject({ status: "completed", attempt: 2 });
    expect(await hand("retry", `${run.id}-2`)).toMatchObject({ status: 409, body: { code: "not_waiting" } });
    expect(await hand("complete", `${run.id}-2`, { output: {} })).toMatchObject({ status: 409, body: { code: "asks" } });
    expect((await hand("skip", `${run.id}-2`)).status).toBe(200);
    await run.until(({ steps }) => steps[2]?.status === "retrying");
    expect((await hand("skip", `${run.id}-3`)).status).toBe(200);

    expect(await run.finished()).toMatchObject({ status: "completed", output: "skipped" });
    expect((await hand("skip", `${run.id}-9`)).status).toBe(404);
  });

  test("is an agent that waits for its account's limit: tried now, it asks its provider again", async () => {
    vi.stubEnv("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-of-nobody");
    vi.stubEnv("ANTHROPIC_API_KEY", undefined); // with one Claude Code does not say when it answers again
    onTestFinished(() => void vi.unstubAllEnvs());
    const far = Math.floor(Date.now() / 1000) + 3_600;
    const run = await code(`await ctx.agent("late", { prompt: "[[limit ${far}]] [[say Late.]]", model: "limited" });`);
    await run.until(({ status, waiting_for }) => status === "waiting" && waiting_for?.kind === "limit", 15_000);
    const before = model.requests.length;

    expect((await hand("retry", `${run.id}-1`)).status).toBe(200);
    await expect.poll(() => model.requests.length).toBeGreaterThan(before);
    await run.until(({ waiting_for }) => waiting_for?.kind === "limit", 15_000);
    expect((await hand("skip", `${run.id}-1`)).status).toBe(200);
    expect(await run.finished()).toMatchObject({ status: "completed", steps: [{ sessions: [{ status: "cancelled" }] }] });
  });
});

describe("many runs", { timeout: 60_000 }, () => {
  test("are counted first, then paused, resumed, cancelled, retried", async () => {
    const branch = { filter: { q: "bulk of" } };
    const runs = await Promise.all([1, 2, 3].map((n) => code(`await ctx.sleep("1 hour");`, `bulk of ${n}`)));
    const failed = await code(`await ctx.run("bad", () => { throw new Error("no"); });`, "bulk of 4");
    await failed.finished();
    for (const run of runs) await run.until(({ status }) => status === "waiting");
    const bulk = async (action: string, more: object = {}) => {
      const { status, body } = await ask("POST", "/api/runs/bulk", { action, ...branch, ...more });
      return { status, ...(body as { code?: string; data?: BulkResult }) };
    };

    const told = await bulk("pause");
    expect(told).toMatchObject({ status: 200, data: { dry_run: true, matched: 4, count: 3, done: 0 } });
    expect(told.data?.runs.map(({ outcome }) => outcome)).toEqual(["would", "would", "would"]);
    expect((await runs[0]!.row()).status).toBe("waiting");
    expect(await bulk("pause", { dry_run: false, count: 2 })).toMatchObject({ status: 409, code: "count_changed" });
    expect(await bulk("pause", { dry_run: false, count: 3 })).toMatchObject({ data: { count: 3, done: 3 } });
    expect(await bulk("resume", { dry_run: false, count: 3 })).toMatchObject({ data: { count: 3, done: 3 } });
    expect(await bulk("cancel", { dry_run: false, reason: "all of it" })).toMatchObject({ data: { count: 3, done: 3 } });
    for (const run of runs) expect((await run.finished()).status).toBe("cancelled");
    expect(await bulk("cancel")).toMatchObject({ data: { matched: 4, count: 0 } });
    const retried = await bulk("retry", { dry_run: false, filter: { q: "bulk of 4" } });
    expect(retried).toMatchObject({ data: { count: 1, done: 1, runs: [{ id: failed.id, outcome: "done" }] } });
    expect(await failed.until(({ resume_count, status }) => resume_count === 1 && status === "failed")).toBeTruthy();
    const entries = await stack.db.orm.select().from(audit).where(like(audit.action, "runs.%"));
    expect(entries.map(({ action }) => action)).toEqual(["runs.pause", "runs.resume", "runs.cancel", "runs.retry"]);
  });
});

describe("in Temporal's own page", { timeout: 60_000 }, () => {
  test("a run is paused: it says by whom and why; it is resumed, and cancelled while it is paused, from here", async () => {
    const run = await code(`await ctx.sleep("1 hour");`);
    await run.until(({ status }) => status === "waiting");
    await pauseThere(run);
    await run.until(({ status }) => status === "paused");
    await expect.poll(() => saidOf(run)).toEqual(["Paused in Temporal by someone: a look"]);
    expect(await auditOf(run.id)).toMatchObject([
      { userId: null, action: "run.pause", data: { from: "temporal", identity: "someone" } },
    ]);

    expect((await ask("POST", `/api/runs/${run.id}/resume`)).status).toBe(200);
    const { workflowService } = stack.client.connection;
    const place = { namespace: stack.config.temporalNamespace, execution: { workflowId: run.id } };
    expect((await workflowService.describeWorkflowExecution(place)).workflowExtendedInfo?.pauseInfo).toBeNull();

    await pauseThere(run);
    await run.until(({ status }) => status === "paused");
    expect((await ask("POST", `/api/runs/${run.id}/cancel`, { reason: "seen enough" })).status).toBe(200);
    expect((await run.row()).status).toBe("cancelled");
  });

  test("a run is cancelled or terminated: it says so, and the audit trail does", async () => {
    const [cancelled, ended, ours] = await Promise.all([1, 2, 3].map(() => code(`await ctx.sleep("1 hour");`)));
    for (const run of [cancelled, ended, ours]) await run!.until(({ status }) => status === "waiting");
    await stack.client.workflow.getHandle(cancelled!.id).cancel();
    await stack.client.workflow.getHandle(ended!.id).terminate("enough");
    await ask("POST", `/api/runs/${ours!.id}/cancel`, { reason: "ours" });

    for (const run of [cancelled, ended]) expect((await run!.finished()).status).toBe("cancelled");
    await expect
      .poll(() => saidOf(cancelled!), { timeout: 10_000 })
      .toEqual([expect.stringMatching(/^Cancelled in Temporal by /)]);
    await expect.poll(() => saidOf(ended!)).toEqual([expect.stringMatching(/^Terminated in Temporal by .*: enough$/)]);
    expect(await auditOf(ended!.id)).toMatchObject([{ action: "run.terminate" }]);
    expect(await saidOf(ours!)).toEqual([]);
  });
});

function hand(action: "skip" | "retry" | "complete", stepId: string, body: object = {}) {
  return ask("POST", `/api/steps/${stepId}/${action}`, body);
}

async function pauseThere({ id }: StartedRun): Promise<void> {
  const place = { namespace: stack.config.temporalNamespace, workflowId: id, identity: "someone", reason: "a look" };
  await stack.client.connection.workflowService.pauseWorkflowExecution({ ...place, requestId: `p-${Date.now()}` });
}

async function saidOf({ id }: StartedRun): Promise<string[]> {
  return (await listComments(stack.db, id, { limit: 10 })).items.map(({ text }) => text);
}

async function auditOf(subject: string) {
  return stack.db.orm.select().from(audit).where(eq(audit.subject, subject));
}

function made(row: RunRow, name: string): boolean {
  return existsSync(inTree(stack, row, name));
}

function code(body: string, name?: string): Promise<StartedRun> {
  return stack.start(codeOf(body, name));
}

function plan(steps: string): Promise<StartedRun> {
  return stack.start(planOf(steps), { ending: ".yaml" });
}
