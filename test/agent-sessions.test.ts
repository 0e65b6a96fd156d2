// Agents' sessions as a run shows them: while they are under way, when they end, and what they have used together.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listRunEvents } from "../db/events.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";

const model = await scriptedModel();
let stack: Longhaul;
beforeAll(async () => {
  stack = await longhaul();
});
beforeEach(() => {
  model.requests.length = 0;
});

describe("an agent's session", { timeout: 60_000 }, () => {
  test("is shown while the agent works, and is told of as it begins and as it ends", async () => {
    const run = await start(`await ctx.agent("plan", { prompt: "[[slow 4000]] [[say Planned.]]", permission: "plan" });`);
    const during = await run.until(({ steps }) => steps[0]?.session != null);
    const after = await run.finished();

    expect(during.steps[0]).toMatchObject({ status: "running", session: { agent: "claude", status: "running", usage: null } });
    expect(after.steps[0]?.sessions).toMatchObject([{ id: during.steps[0]?.session?.id, status: "completed" }]);
    expect(await toldOf(run)).toEqual(["workflow.step.started", "running", "completed", "workflow.step.completed"]);
  });

  test("ends as cancelled with its run", async () => {
    const run = await start(`await ctx.agent("plan", { prompt: "[[hang]]" });`);
    await run.until(({ steps }) => steps[0]?.session?.status === "running");
    await stack.client.workflow.getHandle(run.id).cancel();
    const row = await run.finished();

    expect(row).toMatchObject({ status: "cancelled", steps: [{ sessions: [{ status: "cancelled" }] }] });
    expect(await toldOf(run)).toEqual(["workflow.step.started", "running", "cancelled", "workflow.step.completed"]);
  });

  test("ends as cancelled, too, with a run that was terminated on Temporal's own page", async () => {
    const run = await start(`await ctx.agent("plan", { prompt: "[[hang]]" });`);
    await run.until(({ steps }) => steps[0]?.session?.status === "running");
    await stack.client.workflow.getHandle(run.id).terminate();
    const row = await run.finished();

    expect(row.steps).toMatchObject([{ status: "cancelled", sessions: [{ status: "cancelled" }] }]);
    expect(await toldOf(run)).toEqual(["workflow.step.started", "running", "cancelled", "workflow.step.completed"]);
  });

  test("can be gone on with and copied by later steps, and each turn is counted once, in its step and in the run", async () => {
    const run = await start(`
      const { sessionId } = await ctx.agent("one", { prompt: "[[say one]]" });
      const copy = await ctx.agent("two", { prompt: "[[say two]]", session: { fork: sessionId } });
      const on = await ctx.agent("three", { prompt: "[[say three]]", session: sessionId });
      return [copy.sessionId === sessionId, on.sessionId === sessionId];`);
    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", output: [false, true] });
    expect(asked("two")).toEqual(["[[say one]]", "[[say two]]"]);
    expect(asked("three")).toEqual(["[[say one]]", "[[say three]]"]);
    expect(row.steps.map(({ usage }) => usage?.turns)).toEqual([1, 1, 1]);
    expect(row.usage).toMatchObject({ ...served(), turns: 3 });
    expect(row.usage?.cost_usd).toBeCloseTo(
      row.steps.reduce((sum, { usage }) => sum + (usage?.cost_usd ?? 0), 0),
      9,
    );
  });

  test("inside another step leaves that step's beginning as it is", async () => {
    const run = await start(`
      await ctx.run("all", async () => {
        await ctx.shell("date +%s%3N");
        await ctx.agent("look", { prompt: "[[say looked]]" });
        throw new Error("not enough");
      }).catch(() => {});
      return ctx.getStepResult("all").status;`);
    const { steps, output } = await run.finished();
    const { items } = await listRunEvents(stack.db, run.id, { limit: 100 });

    expect(output).toBe("failed");
    const began = items.find(({ type }) => type === "workflow.step.started")?.at ?? "";
    expect(Date.parse(steps[0]?.started_at ?? "") - Date.parse(began)).toBeLessThanOrEqual(0);
  });

  test("of every try counts, also of those that failed", async () => {
    const run = await start(`
      await ctx.agent("write", {
        prompt: "[[say I have written it.]]",
        verify: [{ fileExists: "made.txt" }],
        retry: { maxAttempts: 2, initialDelayMs: 10 },
      });`);
    const row = await run.finished();

    expect(row).toMatchObject({ status: "failed", error: { type: "agent_unverified" } });
    expect(row.steps[0]?.sessions).toHaveLength(2);
    expect(row.steps[0]?.usage).toMatchObject({ ...served(), turns: 2 });
    expect(row.usage).toEqual(row.steps[0]?.usage);
  });

  test("that is chosen by something else than an id fails the step before anything is asked", async () => {
    const run = await start(`await ctx.agent("plan", { prompt: "[[say hi]]", session: { id: "x" } as never });`);

    expect(await run.finished()).toMatchObject({
      status: "failed",
      error: { type: "invalid_input", message: expect.stringContaining("{ fork: sessionId }") },
    });
    expect(model.requests).toEqual([]);
  });
});

test("a run without agents has used nothing that is known", async () => {
  const run = await start(`await ctx.shell("true");`);

  expect((await run.finished()).usage).toBeNull();
});

function start(body: string): Promise<StartedRun> {
  return stack.start(
    `import { defineWorkflow } from "longhaul";
     export default defineWorkflow({ name: "sessions", async execute(ctx) { ${body} } });`,
  );
}

/** What the run's first step and its sessions have told. */
async function toldOf({ id }: StartedRun): Promise<unknown[]> {
  const { items } = await listRunEvents(stack.db, id, { limit: 100 });
  return items.reverse().flatMap(({ type, data }) => {
    if (type === "workflow.agent.updated") return [(data.session as { status: string }).status];
    return type === "workflow.step.started" || type === "workflow.step.completed" ? [type] : [];
  });
}

/** The prompts of the conversation in which this was said last. */
function asked(word: string): string[] | undefined {
  const request = model.requests.find(({ move }) => "say" in move && move.say === word);
  return request?.conversation.exchanges.map(({ prompt }) => prompt);
}

function served(): Partial<NonNullable<RunRow["usage"]>> {
  const used = model.requests.flatMap((request) => request.used ?? []);
  return {
    input_tokens: used.reduce((sum, { input_tokens }) => sum + input_tokens, 0),
    output_tokens: used.reduce((sum, { output_tokens }) => sum + output_tokens, 0),
  };
}
