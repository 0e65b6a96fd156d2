import { Client } from "@temporalio/client";
import { beforeAll, describe, expect, test } from "vitest";
import { UPDATE } from "../contract/messages.js";
import { audit } from "../db/schema.js";
import { type Longhaul, longhaul, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

describe("an approval", () => {
  test("lets the run wait, which says what for, and goes on with the answer", async () => {
    const run = await waiting(`
      const { approved, by, comment } = await ctx.approve("ship-it", { message: "Ship it?", phase: "ship" });
      return { approved, by, comment };`);
    const asked = await run.row();
    expect(asked).toMatchObject({
      status: "waiting",
      current_phase: "ship",
      waiting_for: { kind: "approval", step_id: `${run.id}-1`, message: "Ship it?", since: expect.any(String) },
      steps: [{ kind: "approval", status: "waiting", input: { message: "Ship it?" } }],
    });

    const reply = await answer(run, "ship-it", { answer: "approve", reason: "looks good" });

    expect(reply.status).toBe(200);
    expect(reply.body.data).toMatchObject({
      status: "completed",
      output: { approved: true, by: "local", at: expect.any(String), comment: "looks good" },
    });
    expect(await run.finished()).toMatchObject({
      status: "completed",
      output: { approved: true, by: "local", comment: "looks good" },
    });
  });

  test("that is rejected is an answer, not a failure", async () => {
    const run = await waiting(`return (await ctx.approve("sure", { message: "Sure?" })).approved;`);

    const reply = await answer(run, `${run.id}-1`, { decision: "REJECT" });

    expect(reply.status).toBe(200);
    expect(await run.finished()).toMatchObject({ status: "completed", output: false, steps: [{ status: "completed" }] });
  });

  test("tells who asked for what, and who answered when", async () => {
    const run = await waiting(`await ctx.approve("sure", { message: "Sure?" });`);
    await answer(run, "sure", { approved: true });
    const { steps } = await run.finished();

    const { body } = await ask("GET", `/api/runs/${run.id}/events?limit=100`);
    const told: { type: string; at: string; data: object }[] = body.data;
    const ours = told.filter(({ type }) => type.startsWith("workflow.approval.")).reverse();
    expect(ours).toMatchObject([
      { type: "workflow.approval.requested", data: { step_id: `${run.id}-1` } },
      { type: "workflow.approval.answered", data: { step_id: `${run.id}-1`, approved: true, by: "local" } },
    ]);
    expect(steps[0]?.output).toMatchObject({ at: ours[1]?.at });
  });

  test("takes one answer of many that come at once", async () => {
    const run = await waiting(`return (await ctx.approve("sure", { message: "Sure?" })).comment;`);

    const replies = await Promise.all(["a", "b", "c", "d"].map((reason) => answer(run, "sure", { answer: "approve", reason })));

    const won = replies.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    const lost = replies.filter(({ status }) => status === 409).map(({ body }) => body);
    expect(lost).toMatchObject([{ code: expect.stringMatching(/answered|finished/) }, {}, {}]);
    const step: { output: { comment: string } } = won[0]?.body.data ?? expect.fail();
    expect((await run.finished()).output).toBe(step.output.comment);
  });

  test("answered already is 409 while the run goes on, and says by whom", async () => {
    const run = await waiting(`await ctx.approve("first", { message: "1?" }); await ctx.approve("second", { message: "2?" });`);
    await answer(run, "first", { answer: "reject" });

    const again = await answer(run, "first", { answer: "approve" });

    expect(again).toMatchObject({ status: 409, body: { code: "answered" } });
    expect(again.body).toMatchObject({ detail: expect.stringContaining("was rejected already, by local at") });
    await answer(run, "second", { answer: "approve" });
    await run.finished();
    expect(await answer(run, "second", { answer: "approve" })).toMatchObject({ status: 409, body: { code: "finished" } });
  });

  test("is given the same answer for the same Idempotency-Key, the run's end in between", async () => {
    const run = await waiting(`await ctx.approve("sure", { message: "Sure?" });`);
    const once = { "Idempotency-Key": `key-${run.id}` };
    const first = await answer(run, "sure", { answer: "approve" }, once);
    await run.finished();

    const again = await answer(run, "sure", { answer: "approve" }, once);

    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    expect((await answer(run, "sure", { answer: "reject" }, once)).status).toBe(422);
  });

  test("checks the fields it asks for, and fills in their defaults", async () => {
    const run = await waiting(`
      const fields = z.object({ ticket: z.string().regex(/^T-\\d+$/), risk: z.enum(["low", "high"]).default("low") }).strict();
      return (await ctx.approve("sure", { message: "Sure?", fields })).fields;`);
    expect((await run.row()).waiting_for?.fields).toMatchObject({ type: "object", required: ["ticket"] });

    const wrong = await answer(run, "sure", { answer: "approve", fields: { ticket: "X", risk: "mid" } });
    expect(wrong.status).toBe(400);
    expect(wrong.body.errors.map(({ path }) => path).sort()).toEqual(["fields.risk", "fields.ticket"]);
    expect((await answer(run, "sure", { answer: "approve" })).status).toBe(400);

    await answer(run, "sure", { answer: "approve", fields: { ticket: "T-7" } });
    expect((await run.finished()).output).toEqual({ ticket: "T-7", risk: "low" });
  });

  test("is rejected without the fields that an approval needs", async () => {
    const schema = `{ type: "object", properties: { ticket: { type: "string" } }, required: ["ticket"] }`;
    const run = await waiting(`return (await ctx.approve("sure", { message: "Sure?", fields: ${schema} })).approved;`);

    expect((await answer(run, "sure", { answer: "reject" })).status).toBe(200);
    expect((await run.finished()).output).toBe(false);
  });

  test.each([
    ["approve", true],
    ["reject", false],
  ])("whose deadline passes answers itself by its default, %s", async (answer, approved) => {
    const run = await stack.start(file(`return ctx.approve("sure", { message: "Sure?", deadline: 300, default: "${answer}" });`));

    expect(await run.finished()).toMatchObject({ status: "completed", output: { approved, by: null } });
  });

  test("whose deadline passes without a default fails", async () => {
    const run = await stack.start(file(`await ctx.approve("sure", { message: "Sure?", deadline: 300 });`));

    const row = await run.finished();

    expect(row).toMatchObject({ status: "failed", error: { type: "approval_timed_out", step_id: "sure" } });
    expect(row.steps).toMatchObject([{ status: "failed", error: { type: "approval_timed_out" } }]);
  });

  test("waits on while others wait, and the run says for which", async () => {
    const run = await waiting(`
      await ctx.parallel([
        () => ctx.approve("left", { message: "Left?" }),
        () => ctx.approve("right", { message: "Right?", deadline: "2 days" }),
      ]);`);
    expect((await run.row()).waiting_for).toMatchObject({ message: "Left?" });
    await answer(run, "left", { answer: "approve" });

    const row = await run.until(({ waiting_for }) => waiting_for?.message === "Right?");
    expect(row.status).toBe("waiting");
    expect(Date.parse(row.waiting_for?.until ?? "")).toBeGreaterThan(Date.now() + 86_400_000);

    await answer(run, "right", { answer: "approve" });
    expect((await run.finished()).status).toBe("completed");
  });

  test("survives its worker: asked before, answered after, and nothing of it is told otherwise", async () => {
    const run = await waiting(`return (await ctx.approve("sure", { message: "Sure?" })).approved;`);
    const asked = await run.row();
    await stack.worker.stop();
    stack.worker = await stack.startWorker();

    expect((await answer(run, "sure", { answer: "approve" })).status).toBe(200);
    const row = await run.finished();
    expect(row.output).toBe(true);
    expect(row.steps[0]?.started_at).toBe(asked.steps[0]?.started_at);
  });

  test("is not taken by a run that nobody runs, and says so", async () => {
    const run = await waiting(`return (await ctx.approve("sure", { message: "Sure?" })).approved;`);
    await stack.worker.stop();
    const once = { "Idempotency-Key": `away-${run.id}` };

    const reply = await answer(run, "sure", { answer: "approve" }, once);
    expect(reply).toMatchObject({ status: 503, body: { code: "worker_unavailable" } });

    stack.worker = await stack.startWorker();
    expect((await answer(run, "sure", { answer: "approve" }, once)).status).toBe(200);
    expect((await run.finished()).output).toBe(true);
  }, 60_000);

  test("is cancelled with its run", async () => {
    const run = await waiting(`await ctx.approve("sure", { message: "Sure?" });`);
    await stack.client.workflow.getHandle(run.id).cancel();

    expect(await run.finished()).toMatchObject({ status: "cancelled", waiting_for: null, steps: [{ status: "cancelled" }] });
    expect((await answer(run, "sure", { answer: "approve" })).status).toBe(409);
  });

  test("cannot be part of another step", async () => {
    const run = await stack.start(file(`await ctx.run("both", () => ctx.approve("sure", { message: "Sure?" }));`));

    expect(await run.finished()).toMatchObject({ status: "failed", error: { type: "invalid_step", step_id: "both" } });
  });

  test("with fields that no schema is fails at once", async () => {
    const run = await stack.start(file(`await ctx.approve("sure", { message: "Sure?", fields: { type: "nonsense" } });`));

    expect(await run.finished()).toMatchObject({ status: "failed", error: { type: "invalid_input", step_id: "sure" } });
  });
});

describe("an answer", () => {
  test.each([
    ["to nothing", "nobody", { answer: "approve" }, 404],
    ["that says nothing", "sure", {}, 400],
    ["that says two things", "sure", { answer: "approve", approved: false }, 400],
    ["with what is not known", "sure", { answer: "approve", force: true }, 400],
    ["with fields that nobody asked for", "sure", { answer: "approve", fields: { a: 1 } }, 400],
  ])("%s is refused, and the run waits on", async (_, step, body, status) => {
    const run = await waiting(`await ctx.approve("sure", { message: "Sure?" });`);

    expect((await answer(run, step, body)).status).toBe(status);

    expect((await answer(run, "sure", { answer: "approve" })).status).toBe(200);
    await run.finished();
  });

  test("that Longhaul did not sign answers nothing, and leaves an audit row", async () => {
    const run = await waiting(`return (await ctx.approve("sure", { message: "Sure?" })).approved;`);
    const forger = new Client({ connection: stack.client.connection, namespace: stack.config.temporalNamespace });
    const forged = { id: "x", at: new Date().toISOString(), by: null, step_id: `${run.id}-1`, approved: true };
    await expect(forger.workflow.getHandle(run.id).executeUpdate(UPDATE.answer, { args: [forged] })).rejects.toThrow();

    await expect
      .poll(async () => (await stack.db.orm.select().from(audit)).map(({ subject, data }) => [subject, data]))
      .toContainEqual([run.id, { what: UPDATE.answer }]);
    await answer(run, "sure", { answer: "reject" });
    expect((await run.finished()).output).toBe(false);
  });
});

function answer(run: StartedRun, step: string, body: object, headers?: Record<string, string>) {
  return ask("POST", `/api/runs/${run.id}/approvals/${step}`, body, headers);
}

async function waiting(body: string): Promise<StartedRun> {
  const run = await stack.start(file(body));
  const { status, error } = await run.until(({ status }) => status !== "pending" && status !== "running");
  expect({ status, error }).toEqual({ status: "waiting", error: null });
  return run;
}

let files = 0;
function file(body: string): string {
  return `import { defineWorkflow } from "longhaul";
    import { z } from "zod";
    export default defineWorkflow({ name: "approval ${++files}", async execute(ctx) {${body}\n} });`;
}
