import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import type { ApprovalRecord } from "../contract/approval.js";
import type { Comment } from "../contract/comment.js";
import { audit, executions as executionsTable } from "../db/schema.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";
import { type Ask, served } from "./support/served.js";

const model = await scriptedModel();
const PEOPLE = ["ana", "ben", "cleo", "dan"];

let stack: Longhaul;
let ask: Ask;
const tokens = new Map<string, string>();
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
  for (const id of PEOPLE) {
    expect((await ask("POST", "/api/users", { id })).status).toBe(201);
    const { body } = await ask("POST", `/api/users/${id}/tokens`);
    const { token }: { token: string } = body.data;
    tokens.set(id, token);
  }
});

describe("an approval that names its approvers", () => {
  test("refuses everybody else, names them, and waits on", async () => {
    const run = await waiting(`return ctx.approve("sure", { message: "Sure?", approvers: ["ana", "ben"] });`);
    expect((await run.row()).waiting_for).toMatchObject({ approvers: ["ana", "ben"] });

    const [local, cleo] = [await answer(run, "approve"), await answer(run, "approve", "cleo")];

    expect([local, cleo]).toMatchObject([
      { status: 403, body: { code: "not_approver", detail: expect.stringContaining("Only ana, ben may answer") } },
      { status: 403, body: { detail: expect.stringContaining("cleo is none of them") } },
    ]);
    expect((await run.row()).status).toBe("waiting");
    expect((await answer(run, "approve", "ben")).status).toBe(200);
    expect((await run.finished()).output).toMatchObject({ approved: true, by: "ben" });
  });

  test("can be handed to somebody else, by whom it is for: that is kept, and counts from then on", async () => {
    const run = await waiting(`return ctx.approve("sure", { message: "Sure?", approvers: ["ana", "ben"] });`);
    const hand = (to: string, by: string) => ask("POST", path(run, "/delegate"), { to, reason: "on holiday" }, as(by));

    expect(await hand("dan", "cleo")).toMatchObject({ status: 403, body: { code: "not_approver" } });
    expect(await hand("eve", "ana")).toMatchObject({ status: 400, body: { errors: [{ path: "to" }] } });
    expect(await hand("ben", "ana")).toMatchObject({ status: 409, body: { code: "not_delegated" } });
    const handed = await hand("dan", "ana");

    expect(handed).toMatchObject({ status: 200, body: { data: { waiting_for: { approvers: ["dan", "ben"] } } } });
    expect((await run.row()).waiting_for?.approvers).toEqual(["dan", "ben"]);
    expect(await answer(run, "approve", "ana")).toMatchObject({ status: 403 });
    expect(await answer(run, "approve", "dan")).toMatchObject({ status: 200 });
    await run.finished();
    expect(await records(run)).toMatchObject([
      { answer: "delegate", by: "ana", delegate: "dan", comment: "on holiday", decided: false },
      { answer: "approve", by: "dan", delegate: null, decided: true },
    ]);
    expect(await stack.db.orm.select().from(audit).where(eq(audit.action, "approval.delegate"))).toMatchObject([
      { userId: "ana", subject: `${run.id}-1`, data: { to: "dan" } },
    ]);
  });

  test("that could never be decided fails at once, and says why", async () => {
    const run = await stack.start(file(`await ctx.approve("sure", { message: "?", approvers: ["ana"], required: 2 });`));

    const error = { type: "invalid_input", message: expect.stringContaining('"required" is 2, and "approvers" has 1.') };
    expect(await run.finished()).toMatchObject({ status: "failed", error });
  });
});

describe("an approval that takes several people", () => {
  test("waits until so many have approved: each counts once, and all that they said is kept", async () => {
    const run = await waiting(`return ctx.approve("sure", { message: "Sure?", required: 2 });`);
    const [first, again] = [await answer(run, "approve", "ana", "fine"), await answer(run, "approve", "ana")];

    expect(first).toMatchObject({ status: 200, body: { data: { status: "waiting" } } });
    expect(again).toMatchObject({ status: 409, body: { code: "answered", detail: expect.stringContaining("ana has answered") } });
    expect((await run.row()).waiting_for).toMatchObject({
      required: 2,
      answers: [{ by: "ana", approved: true, comment: "fine" }],
    });
    expect(await answer(run, "approve", "ben")).toMatchObject({ status: 200, body: { data: { status: "completed" } } });

    const { output } = await run.finished();
    expect(output).toMatchObject({ approved: true, by: "ben", answers: [{ by: "ana" }, { by: "ben" }] });
    expect(await records(run)).toMatchObject([
      { id: `${run.id}-1-a1`, by: "ana", comment: "fine", decided: false },
      { id: `${run.id}-1-a2`, by: "ben", comment: null, decided: true },
    ]);
    const told = await events(run, "workflow.approval.answered");
    expect(told).toMatchObject([
      { by: "ana", decided: false },
      { by: "ben", decided: true },
    ]);
  });

  test("is rejected by one, where it is not said otherwise, and with two who must when it is", async () => {
    const run = await waiting(`
      const one = await ctx.approve("sure", { message: "Sure?", required: 3 });
      const two = await ctx.approve("really", { message: "Really?", required: 2, rejections: 2 });
      return [one, two].map(({ approved, answers }) => [approved, answers.map(({ by }) => by).join()]);`);
    await answer(run, "approve", "ana");
    await answer(run, "reject", "ben");
    await run.until(({ waiting_for }) => waiting_for?.message === "Really?");
    for (const [by, said] of [
      ["ana", "reject"],
      ["ben", "approve"],
      ["cleo", "reject"],
    ] as const)
      await answer(run, said, by, "", "really");

    expect((await run.finished()).output).toEqual([
      [false, "ana,ben"],
      [false, "ana,ben,cleo"],
    ]);
  });
});

test("of fifty answers that come at once one decides, or as many people as it takes", async () => {
  const run = await waiting(`
    const one = await ctx.approve("sure", { message: "Sure?" });
    const three = await ctx.approve("really", { message: "Really?", required: 3 });
    return { one, three };`);
  const fifty = (step: string) =>
    Promise.all(Array.from({ length: 50 }, (_, i) => answer(run, "approve", PEOPLE[i % PEOPLE.length], `${i}`, step)));

  const [won, ...others] = (await fifty("sure")).filter(({ status }) => status !== 409);
  expect([won?.status, others]).toEqual([200, []]);
  await run.until(({ waiting_for }) => waiting_for?.message === "Really?");
  const counted = (await fifty("really")).filter(({ status }) => status !== 409);

  expect(counted.map(({ status }) => status)).toEqual([200, 200, 200]);
  const { output } = await run.finished();
  const { one, three } = output as { one: { comment: string }; three: { answers: { by: string }[] } };
  expect(new Set(three.answers.map(({ by }) => by)).size).toBe(3);
  const kept = await records(run);
  expect(kept.filter(({ step_id }) => step_id === `${run.id}-1`)).toMatchObject([{ comment: one.comment, decided: true }]);
  const ofThree = kept.filter(({ step_id }) => step_id === `${run.id}-2`);
  expect(ofThree.map(({ by }) => by).sort()).toEqual(three.answers.map(({ by }) => by).sort());
}, 120_000);

test("people are reminded, each time once, until enough of them have answered; a restart of the worker forgets neither", async () => {
  const options = `message: "Sure?", remindEvery: "1s", required: 2`;
  const run = await waiting(`return (await ctx.approve("sure", { ${options} })).approved;`);
  const reminders = async () => (await events(run, "workflow.approval.reminded")).length;
  await expect.poll(reminders, { timeout: 20_000 }).toBeGreaterThan(0);
  await answer(run, "approve", "ana");
  await stack.worker.stop();
  const before = await reminders();
  stack.worker = await stack.startWorker();

  await expect.poll(reminders, { timeout: 20_000 }).toBeGreaterThan(before);
  expect(await answer(run, "approve", "ana")).toMatchObject({ status: 409 });
  await answer(run, "approve", "ben");

  expect((await run.finished()).output).toBe(true);
  const told = await events(run, "workflow.approval.reminded");
  expect(told.map(({ reminder }) => reminder)).toEqual(told.map((_, i) => i + 1));
  const { body } = await ask("GET", `/api/runs/${run.id}/comments?limit=100`);
  const comments: Comment[] = body.data;
  expect(comments.map(({ text }) => text).reverse()).toEqual(told.map((_, i) => `Reminder ${i + 1}: Sure?`));
}, 90_000);

describe("a rejection", () => {
  test("sends the work back to the agent, with its reason and in its session, as often as the plan says; the last one fails the step", async () => {
    const run = await planned([
      `  - { id: work, type: agent, agent: claude, permission: acceptEdits, prompt: "[[say A first try.]]" }`,
      `  - { id: sure, type: approval, message: "{{ work.result }}", on_reject: { rework: work, times: 2 } }`,
      `  - { id: next, command: "echo {{ work.result }}" }`,
      `  - { id: really, type: approval, message: "Really?", on_reject: { rework: work, times: 1 } }`,
    ]);
    await answer(run, "reject", "ana", "No tests. [[write test.txt yes]] [[say With tests.]]");
    await run.until(({ waiting_for }) => waiting_for?.message === "With tests.");
    expect(model.requests.at(-1)?.conversation.exchanges.map(({ prompt }) => prompt)).toEqual([
      "[[say A first try.]]",
      expect.stringContaining("ana: No tests."),
    ]);
    await answer(run, "approve");
    await run.until(({ waiting_for }) => waiting_for?.step_id === `${run.id}-6`);
    await answer(run, "reject", "ben", "No docs. [[say With docs.]]", "really");
    await run.until(({ waiting_for }) => waiting_for?.step_id === `${run.id}-8`);
    await answer(run, "reject", "ben", "no", "really");

    const row = await run.finished();
    expect(row).toMatchObject({ status: "failed", error: { type: "approval_rejected", message: 'ben rejected "really": no' } });
    expect(row.steps.map(({ step_id, iteration, status }) => `${step_id} ${iteration} ${status}`)).toEqual([
      ...["work 1", "sure 1", "work 2", "sure 2", "next 1", "really 1", "work 3"].map((step) => `${step} completed`),
      "really 2 failed",
    ]);
    expect(row.steps[4]?.output).toMatchObject({ stdout: "With tests.\n" });
  }, 120_000);

  test("is an answer where the plan goes on with it, and a later agent is told the reason", async () => {
    const run = await planned([
      `  - { id: sure, type: approval, message: "Sure?", approvers: [ana], on_reject: continue }`,
      `  - { id: work, type: agent, agent: claude, if: "!sure.approved", prompt: "[[say Understood: {{ sure.comment }}]]" }`,
    ]);
    await answer(run, "reject", "ana", "not on a Friday");

    expect((await run.finished()).steps.at(-1)?.output).toMatchObject({ text: "Understood: not on a Friday" });
  }, 120_000);
});

test("what asks nobody any more is not answered: it was skipped, ended, cancelled, or the run went on in a further execution", async () => {
  const gate = `  - { id: sure, type: approval, message: "Sure?" }`;
  const sleeps = Array.from({ length: 8 }, (_, i) => `  - { id: nap${i}, type: sleep, duration: 1ms }`);
  const run = await planned(
    [
      `  - { id: none, type: approval, message: "?", if: "false" }`,
      gate,
      ...sleeps,
      `  - { id: last, type: approval, message: "?" }`,
    ],
    { continue_after: 10 },
  );
  expect(await answer(run, "approve", "ana", "", "none")).toMatchObject({ status: 409, body: { code: "answered" } });
  await answer(run, "approve", "ana");
  await run.until(({ waiting_for }) => waiting_for?.step_id?.endsWith("-11") === true);
  expect((await stack.db.orm.select().from(executionsTable).where(eq(executionsTable.runId, run.id))).length).toBeGreaterThan(1);

  expect(await answer(run, "reject", "ben")).toMatchObject({
    status: 409,
    body: { code: "answered", detail: expect.stringContaining("was approved already, by ana at") },
  });
  await stack.client.workflow.getHandle(run.id).cancel();
  expect((await run.finished()).status).toBe("cancelled");
  expect(await answer(run, "approve", "ana", "", "last")).toMatchObject({ status: 409, body: { code: "finished" } });
  expect(await records(run)).toMatchObject([{ by: "ana", answer: "approve" }]);
}, 120_000);

function path(run: StartedRun, more = "", step = "sure"): string {
  return `/api/runs/${run.id}/approvals/${step}${more}`;
}

function answer(run: StartedRun, answer: "approve" | "reject", by?: string, reason?: string, step?: string) {
  return ask("POST", path(run, "", step), { answer, ...(reason ? { reason } : {}) }, by === undefined ? {} : as(by));
}

function as(user: string): Record<string, string> {
  return { Authorization: `Bearer ${tokens.get(user)}` };
}

/** What was said to the run's approvals, the first first. */
async function records(run: StartedRun): Promise<ApprovalRecord[]> {
  const { body } = await ask("GET", `/api/runs/${run.id}/approvals?limit=100`);
  const said: ApprovalRecord[] = body.data;
  return said.reverse();
}

async function events(run: StartedRun, wanted: string): Promise<Record<string, unknown>[]> {
  const { body } = await ask("GET", `/api/runs/${run.id}/events?limit=100`);
  const told: { type: string; data: Record<string, unknown> }[] = body.data;
  return told
    .filter(({ type }) => type === wanted)
    .map(({ data }) => data)
    .reverse();
}

async function waiting(body: string): Promise<StartedRun> {
  return untilWaiting(await stack.start(file(body)));
}

async function planned(steps: string[], options: StartOptions = {}): Promise<StartedRun> {
  const yaml = [`name: gates ${++files}`, "steps:", ...steps].join("\n");
  return untilWaiting(await stack.start(yaml, { ending: ".yaml", ...options }));
}

async function untilWaiting(run: StartedRun): Promise<StartedRun> {
  const isUp = ({ status }: RunRow) => status !== "pending" && status !== "running";
  const { status, error } = await run.until(isUp);
  expect({ status, error }).toEqual({ status: "waiting", error: null });
  return run;
}

let files = 0;
function file(body: string): string {
  return `import { defineWorkflow } from "longhaul";
    export default defineWorkflow({ name: "approvers ${++files}", async execute(ctx) {${body}\n} });`;
}
