import { Client } from "@temporalio/client";
import { beforeAll, expect, test } from "vitest";
import type { Json } from "../contract/json.js";
import { SIGNAL } from "../contract/messages.js";
import { type Longhaul, longhaul, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

test("a run waits for an event, says for which, and goes on with its payload", async () => {
  const run = await stack.start(file(`return ctx.waitForEvent("deployed", { phase: "ship" });`));
  const row = await run.until(({ status }) => status === "waiting");
  expect(row).toMatchObject({
    waiting_for: { kind: "event", step_id: `${run.id}-1`, event: "deployed", since: expect.any(String) },
    steps: [{ kind: "wait", step_id: "deployed", status: "waiting", input: { event: "deployed" } }],
  });

  const reply = await send(run, "deployed", { url: "https://stage.example", parts: [1, null] });

  expect(reply).toMatchObject({ status: 202, body: { data: { run_id: run.id, name: "deployed" } } });
  expect(await run.finished()).toMatchObject({
    status: "completed",
    output: { url: "https://stage.example", parts: [1, null] },
    steps: [{ status: "completed", output: { url: "https://stage.example", parts: [1, null] } }],
  });
});

test.each([[undefined], [null], [false], [0], [""], [[]]])("an event's payload may be %j", async (payload) => {
  const run = await stack.start(file(`return [await ctx.waitForEvent("any")];`));

  await send(run, "any", payload);

  expect((await run.finished()).output).toEqual([payload ?? null]);
});

test("events that come before they are waited for are kept, in order, by name", async () => {
  const run = await stack.start(
    file(`
      await ctx.waitForEvent("go");
      const b = await ctx.waitForEvent("b");
      return [b, await ctx.waitForEvent("a"), await ctx.waitForEvent("a"), await ctx.waitForEvent("a")];`),
  );
  for (const [name, payload] of [["a", 1], ["a", 2], ["b", 3], ["go", 0], ["a", 4]] as const) await send(run, name, payload); // biome-ignore format: one line is clearer

  expect((await run.finished()).output).toEqual([3, 1, 2, 4]);
});

test("a step that finds its event does not let the run wait", async () => {
  const run = await stack.start(file(`await ctx.sleep(1_000); return ctx.waitForEvent("early");`));
  await send(run, "early", "bird");
  await run.finished();

  const { body } = await ask("GET", `/api/runs/${run.id}/events?limit=100`);
  const told: { type: string; data: { status?: string } }[] = body.data;
  const statuses = told.filter(({ type }) => type === "workflow.execution.status_changed").map(({ data }) => data.status);
  expect(statuses.reverse()).toEqual(["pending", "running", "waiting", "running", "completed"]);
});

test("of several that wait for one name, who waits longest gets the first", async () => {
  const run = await stack.start(
    file(`return ctx.parallel([() => ctx.waitForEvent("x"), () => ctx.waitForEvent("x"), () => ctx.waitForEvent("x")]);`),
  );
  for (const n of [1, 2, 3]) await send(run, "x", n);

  expect((await run.finished()).output).toEqual([1, 2, 3]);
});

test("an event that does not come by the deadline fails the step", async () => {
  const run = await stack.start(file(`await ctx.waitForEvent("never", { deadline: 200 });`));

  expect(await run.finished()).toMatchObject({ status: "failed", error: { type: "event_timed_out", step_id: "never" } });
});

test("an event with an Idempotency-Key comes once, however often it is sent", async () => {
  const run = await stack.start(file(`return [await ctx.waitForEvent("x"), await ctx.waitForEvent("x")];`));
  const once = { "Idempotency-Key": `key-${run.id}` };

  const replies = await Promise.all([1, 2, 3].map(() => send(run, "x", "first", once)));
  await send(run, "x", "second");

  expect(replies.map(({ status }) => status)).toEqual([202, 202, 202]);
  expect(new Set(replies.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect((await run.finished()).output).toEqual(["first", "second"]);
});

test("an event whose sender died before it was answered, and that is sent again, comes once", async () => {
  const run = await stack.start(file(`return [await ctx.waitForEvent("x"), await ctx.waitForEvent("x")];`));
  const message = { id: "evt_1", at: new Date().toISOString(), by: "local", name: "x", payload: 1 };
  const handle = stack.client.workflow.getHandle(run.id);
  await handle.signal(SIGNAL.event, message);
  await handle.signal(SIGNAL.event, message);
  await handle.signal(SIGNAL.event, { ...message, id: "evt_2", payload: 2 });

  expect((await run.finished()).output).toEqual([1, 2]);
});

test("events survive the worker: sent while there is none, taken by the next", async () => {
  const run = await stack.start(file(`return [await ctx.waitForEvent("a"), await ctx.waitForEvent("b")];`));
  await run.until(({ status }) => status === "waiting");
  await stack.worker.stop();
  expect((await send(run, "b", 2)).status).toBe(202);
  expect((await send(run, "a", 1)).status).toBe(202);
  stack.worker = await stack.startWorker();

  expect((await run.finished()).output).toEqual([1, 2]);
});

test("an event of a wait that was broken off is there for the next", async () => {
  const run = await stack.start(
    file(`
      await ctx.waitForEvent("late", { deadline: 200 }).catch(() => undefined);
      await ctx.sleep(500);
      return ctx.waitForEvent("late");`),
  );
  await run.until(({ steps }) => steps[0]?.status === "failed");
  await send(run, "late", "after all");

  expect((await run.finished()).output).toBe("after all");
});

test("an event that Longhaul did not sign is none", async () => {
  const run = await stack.start(file(`return ctx.waitForEvent("x");`));
  await run.until(({ status }) => status === "waiting");
  const forger = new Client({ connection: stack.client.connection, namespace: stack.config.temporalNamespace });
  const forged = { id: "evt_f", at: new Date().toISOString(), by: null, name: "x", payload: "forged" };
  await forger.workflow.getHandle(run.id).signal(SIGNAL.event, forged);
  await send(run, "x", "signed");

  expect((await run.finished()).output).toBe("signed");
});

test.each([
  ["that is too large", "x", "x".repeat(70_000), 413],
  ["whose name is none", "a%20b", 1, 400],
  ["whose name is too long", "x".repeat(201), 1, 400],
])("an event %s is refused", async (_, name, payload, status) => {
  const run = await stack.start(file(`await ctx.sleep(1);`));

  expect((await send(run, name, payload)).status).toBe(status);
});

test("a run that has been told as much as its history holds takes no more events, and goes on with those it has", {
  timeout: 180_000,
}, async () => {
  const run = await stack.start(
    file(`
      await ctx.waitForEvent("go");
      const first = await ctx.waitForEvent("x");
      return [first.n, (await ctx.waitForEvent("x")).n];`),
  );
  await run.until(({ status }) => status === "waiting");
  const handle = stack.client.workflow.getHandle(run.id);
  const event = (n: number, name: string, payload: Json) => {
    const message = { id: `evt_${n}`, at: new Date().toISOString(), by: null, name, payload };
    return handle.signal(SIGNAL.event, message);
  };
  const pad = "x".repeat(60_000);
  let sent = 0;
  while (((await handle.describe()).historySize ?? 0) < 30 * 1024 * 1024) {
    for (const n of Array.from({ length: 20 }, () => ++sent)) await event(n, "x", { n, pad });
  }

  expect(await send(run, "x", "one more")).toMatchObject({ status: 429, body: { code: "too_many_signals" } });
  await event(0, "go", null);
  expect((await run.finished(120_000)).output).toEqual([1, 2]);
});

test("a run that has finished takes no event, and one that is not there neither", async () => {
  const run = await stack.start(file(`return 1;`));
  await run.finished();

  expect(await send(run, "x", 1)).toMatchObject({ status: 409, body: { code: "finished" } });
  expect((await ask("POST", "/api/runs/run_none/events/x", 1)).status).toBe(404);
});

function send(run: StartedRun, name: string, payload: unknown, headers?: Record<string, string>) {
  return untilThere(run, () => ask("POST", `/api/runs/${run.id}/events/${name}`, payload, headers));
}

/** A run that was started without the API has its row a moment later. */
async function untilThere<Value>(run: StartedRun, act: () => Promise<Value>): Promise<Value> {
  await run.until(() => true);
  return act();
}

let files = 0;
function file(body: string): string {
  return `import { defineWorkflow } from "longhaul";
    export default defineWorkflow({ name: "events ${++files}", async execute(ctx) {${body}\n} });`;
}
