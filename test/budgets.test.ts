// Budgets of agents, by the figures that real Claude Code tells of a scripted model: 20,000 tokens of an answer are 0.30 dollars.
import { sql } from "drizzle-orm";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AnswerMessage } from "../contract/messages.js";
import { UPDATE } from "../contract/messages.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";

const MODEL = "claude-sonnet-4-5";
/** An answer of 0.30 dollars. */
const DEAR = "[[usage 0 20000]]";
const LIMIT_MS = 60_000;

const model = await scriptedModel();
let stack: Longhaul;
beforeAll(async () => {
  stack = await longhaul();
});
beforeEach(() => {
  model.requests.length = 0;
});

describe("a budget of 1.00 with turns of 0.30", { timeout: 2 * LIMIT_MS }, () => {
  test("of a run ends it after the fourth agent's turn: a fifth is not begun", async () => {
    const row = await ended(
      code(
        `for (const n of [1, 2, 3, 4, 5]) await ctx.agent("turn " + n, claude, "${DEAR} [[say " + n + "]]", { model: "${MODEL}" });`,
        {
          budget: "{ usd: 1 }",
        },
      ),
    );

    expect(row.steps.map(({ status }) => status)).toEqual(["completed", "completed", "completed", "completed", "failed"]);
    expect(row.error).toEqual({
      type: "budget_exceeded",
      message: `The budget of the run ${row.id}, with the runs under it, is reached: 1.2 of 1 dollars.`,
      step_id: "turn 5",
    });
    expect(model.requests).toHaveLength(4);
  });

  test("of a step ends it after the model's fourth answer, keeps what it has done, and is not tried again", async () => {
    const row = await ended(
      `
name: one-step
steps:
  - key: work
    prompt: "${[1, 2, 3, 4, 5, 6].map((n) => `${DEAR} [[write ${n}.txt x]]`).join(" ")}"
    agent: claude
    model: ${MODEL}
    permission: acceptEdits
    retry: { maxAttempts: 3 }
    budget: { usd: 1 }`,
      { ending: ".yaml" },
    );

    expect(row.steps).toMatchObject([
      {
        status: "failed",
        attempt: 1,
        error: { type: "budget_exceeded", message: "The budget of the step is reached: 1.2 of 1 dollars." },
        output: { filesChanged: expect.arrayContaining(["1.txt", "2.txt", "3.txt"]), usage: { turns: 4, cost_usd: 1.2 } },
      },
    ]);
    expect(model.requests).toHaveLength(4);
  });

  test("lets stand what its last turn has finished", async () => {
    const row = await ended(
      code(
        `return (await ctx.agent("work", claude, "${DEAR} [[say Dear.]]", { model: "${MODEL}", budget: { usd: 0.2 } })).text;`,
      ),
    );

    expect(row).toMatchObject({ status: "completed", output: "Dear." });
  });

  test("holds for a run and those under it together", async () => {
    await stack
      .start(code(`await ctx.agent("turn", claude, "${DEAR} [[say under]]", { model: "${MODEL}" });`, { name: "under" }))
      .then((run) => run.finished());
    model.requests.length = 0;
    const row = await ended(code(`for (const n of [1, 2, 3, 4, 5]) await ctx.child("under", {});`, { budget: "{ usd: 1 }" }));

    expect(row).toMatchObject({ status: "failed", error: { type: "child_failed", step_id: "under" } });
    expect(row.error_message).toContain(`The budget of the run ${row.id}, with the runs under it, is reached: 1.2 of 1 dollars.`);
    expect(model.requests).toHaveLength(4);
  });

  test("holds for a project's day, whichever runs they are", async () => {
    await settings({ budget_per_day: { usd: 1 } });
    const turn = code(`await ctx.agent("turn", claude, "${DEAR} [[say x]]", { model: "${MODEL}" });`, { name: "today" });
    await stack.db.orm.execute(sql`update mirror.agent_sessions set created_at = created_at - interval '2 days'`);
    const statuses: string[] = [];
    for (let n = 0; n < 5; n++) statuses.push((await ended(turn)).status);
    await settings({});

    expect(statuses).toEqual(["completed", "completed", "completed", "completed", "failed"]);
    expect(model.requests).toHaveLength(4);
  });
});

describe("a budget", { timeout: 2 * LIMIT_MS }, () => {
  test.each([
    ["tokens: 30000", "40000 of 30000 tokens", 2],
    ["turns: 3", "3 of 3 turns", 3],
  ])("of { %s } ends a step", async (budget, amount, requests) => {
    const prompt = Array.from({ length: 6 }, (_, n) => `${DEAR} [[write ${n}.txt x]]`).join(" ");
    const row = await ended(
      code(`await ctx.agent("work", claude, "${prompt}", { permission: "acceptEdits", budget: { ${budget} } });`),
    );

    expect(row).toMatchObject({ error: { type: "budget_exceeded", message: `The budget of the step is reached: ${amount}.` } });
    expect(model.requests).toHaveLength(requests);
  });

  test("of minutes ends a step while its agent is at work", async () => {
    const row = await ended(code(`await ctx.agent("work", claude, "[[hang]]", { budget: { minutes: 0.05 } });`));

    expect(row.error?.type).toBe("budget_exceeded");
    const [, minutes] = /(\S+) of 0\.05 minutes\.$/.exec(row.error?.message ?? "") ?? [];
    expect(Number(minutes)).toBeGreaterThanOrEqual(0.05);
  });

  test("of Codex's tokens ends the next turn before it begins", async () => {
    if (!process.env.LONGHAUL_CODEX_BIN) return;
    const row = await ended(
      code(`for (const n of [1, 2]) await ctx.agent("turn " + n, codex, "[[usage 400 100]] [[say " + n + "]]");`, {
        budget: "{ tokens: 500 }",
      }),
    );

    expect(row).toMatchObject({ error: { type: "budget_exceeded", step_id: "turn 2" } });
    expect(model.requests).toHaveLength(1);
  });

  test("in dollars is refused to an agent that does not tell its cost", async () => {
    const row = await ended(code(`await ctx.agent("work", codex, "[[say x]]", { budget: { usd: 1 } });`));

    expect(row).toMatchObject({ error: { type: "agent_unsupported", message: expect.stringContaining('use "claude"') } });
    expect(model.requests).toEqual([]);
  });

  test("that makes no sense is refused by its place", async () => {
    const row = await ended(code(`await ctx.agent("work", claude, "[[say x]]", { budget: { usd: 0 } });`));

    expect(row).toMatchObject({
      error: { type: "invalid_input", message: expect.stringContaining('"budget" of "work" has a wrong usd') },
    });
  });
});

describe("a budget that asks", { timeout: 2 * LIMIT_MS }, () => {
  const prompt = `${[1, 2].map((n) => `${DEAR} [[write ${n}.txt x]]`).join(" ")} [[say Ready.]]`;
  const source = code(
    `return (await ctx.agent("work", claude, "${prompt}", { model: "${MODEL}", permission: "acceptEdits", budget: { usd: 0.5, onReached: "ask" } })).text;`,
  );

  test("has the step wait, also over a restart of the worker, and go on in its session with as much again", async () => {
    const run = await stack.start(source);
    const waiting = await run.until(({ status }) => status === "waiting", LIMIT_MS);
    expect(waiting.waiting_for).toMatchObject({
      kind: "approval",
      message: "The budget of the step is reached: 0.6 of 0.5 dollars. Go on, with another 0.5 dollars?",
    });
    expect(model.requests).toHaveLength(2);
    await stack.worker.stop();
    stack.worker = await stack.startWorker();
    await answer(run, waiting, true);
    const row = await run.finished(60_000);

    expect(row).toMatchObject({
      status: "completed",
      output: "Ready.",
      steps: [{ attempt: 1, output: { filesChanged: expect.arrayContaining(["1.txt", "2.txt"]) } }],
    });
    expect(row.steps[0]?.sessions).toHaveLength(1);
    expect([3, 4]).toContain(model.requests.length); // the call of the answer that reached the budget may have to be made again
  });

  test("ends the step when somebody says no", async () => {
    const run = await stack.start(source);
    const waiting = await run.until(({ status }) => status === "waiting", LIMIT_MS);
    await answer(run, waiting, false, "Too dear.");

    expect(await run.finished(LIMIT_MS)).toMatchObject({
      status: "failed",
      error: { type: "budget_exceeded", message: expect.stringContaining("local did not let it go on: Too dear.") },
    });
    expect(model.requests).toHaveLength(2);
  });
});

function code(body: string, { name = "budget", budget }: { name?: string; budget?: string } = {}): string {
  return `import { claude, codex, defineWorkflow } from "longhaul";
    export default defineWorkflow({ name: "${name}", ${budget ? `budget: ${budget},` : ""} async execute(ctx) { ${body} } });`;
}

async function ended(source: string, options: StartOptions = {}): Promise<RunRow> {
  return (await stack.start(source, options)).finished(LIMIT_MS);
}

async function answer(run: StartedRun, { waiting_for }: RunRow, approved: boolean, comment?: string): Promise<void> {
  const message: AnswerMessage = {
    id: "req_1",
    at: new Date().toISOString(),
    by: "local",
    step_id: waiting_for?.step_id ?? "",
    approved,
    comment,
  };
  await stack.client.workflow.getHandle(run.id).executeUpdate(UPDATE.answer, { args: [message] });
}

async function settings(all: object): Promise<void> {
  await stack.db.orm.execute(sql`update app.projects set settings = ${JSON.stringify(all)}::jsonb`);
}
