// What the fields of a definition do to its runs, dialect by dialect. What they say in the plan is tested beside each dialect.
import { beforeAll, describe, expect, test } from "vitest";
import { listCheckpoints } from "../db/checkpoints.js";
import { type Longhaul, longhaul, type RunRow, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";
import { testFolder } from "./support/stack.js";

let stack: Longhaul;
beforeAll(async () => {
  await scriptedModel();
  stack = await longhaul();
});

describe("of phases", { timeout: 120_000 }, () => {
  test("cwd is the folder of a script", async () => {
    const row = await yaml(`
name: folder
steps:
  - { id: make, type: script, command: mkdir -p deep }
  - { id: look, type: script, cwd: deep, command: "basename $PWD" }`);

    expect(row.steps[1]?.output).toMatchObject({ stdout: "deep\n" });
  });

  test("permission is what an agent may do without asking", async () => {
    const row = await yaml(`
name: permission
steps:
  - { id: may, type: agent, agent: claude, permission: acceptEdits, prompt: "[[write may.txt x]]" }
  - { id: asks, type: agent, agent: claude, permission: default, ask: false, prompt: "[[write asks.txt x]]" }`);

    expect(row.steps.map(({ output }) => output)).toMatchObject([{ filesChanged: ["may.txt"] }, { filesChanged: [] }]);
  });
});

describe("of dag", { timeout: 120_000 }, () => {
  const shell = (key: string, command: string, more: object = {}) => ({ key, type: "shell", command, ...more });
  const dag = (steps: object[], config: object = {}) => json({ name: "fields", version: "1.0.0", config, steps });

  test("config.timeout ends the run", async () => {
    expect(await dag([shell("long", "sleep 60")], { timeout: 1500 })).toMatchObject({ status: "timed_out" });
  });

  test("timeoutMs ends a try of the step", async () => {
    const row = await dag([shell("long", "sleep 60", { timeoutMs: 1000 }), shell("short", "true", { timeoutMs: 30_000 })]);

    expect(row.steps).toMatchObject([
      { status: "failed", error: { type: "timed_out" } },
      { step_id: "short", status: "completed" },
    ]);
  });

  test("config.maxRetries is for all steps, and a step's own retryPolicy beats it", async () => {
    const row = await dag(
      [shell("all", "exit 1", { optional: true }), shell("own", "exit 1", { retryPolicy: { maxRetries: 0 }, optional: true })],
      { maxRetries: 1 },
    );

    expect(Object.fromEntries(row.steps.map(({ step_id, attempt }) => [step_id, attempt]))).toEqual({ all: 2, own: 1 });
  });

  test("retryDelayMs and retryBackoffMultiplier are the times between tries", async () => {
    const retryPolicy = { maxRetries: 2, retryDelayMs: 400, retryBackoffMultiplier: 3 };
    const row = await dag([shell("again", "exit 1", { retryPolicy })]);
    const [retry] = row.steps;

    expect(retry).toMatchObject({ attempt: 3, status: "failed" });
    expect(retry?.duration_ms).toBeGreaterThanOrEqual(400 + 1200);
  });

  test("retryableErrors are the ones that are tried again", async () => {
    const again = (retryableErrors: string[]) => ({
      retryPolicy: { maxRetries: 1, retryDelayMs: 10, retryableErrors },
      optional: true,
    });
    const row = await dag([shell("listed", "exit 1", again(["shell_failed"])), shell("other", "exit 1", again(["timed_out"]))]);

    expect(Object.fromEntries(row.steps.map(({ step_id, attempt }) => [step_id, attempt]))).toEqual({ listed: 2, other: 1 });
  });

  test("continueOnError goes past a step that fails", async () => {
    const steps = [shell("fails", "exit 1"), shell("after", "true", { dependencies: ["fails"] })];

    expect(await dag(steps, { continueOnError: true })).toMatchObject({
      status: "completed",
      steps: [{ status: "failed" }, { status: "completed" }],
    });
    expect(await dag(steps)).toMatchObject({ status: "failed", steps: [{ status: "failed" }] });
  });

  test("parallelism is how many steps run at once", async () => {
    const beside = 'ls "$FOLDER" | wc -l; mkdir "$FOLDER/$NAME"; sleep 1; ls "$FOLDER" | wc -l; rmdir "$FOLDER/$NAME"';
    const env = { FOLDER: testFolder() };
    const steps = ["a", "b", "c", "d"].map((key) => shell(key, beside, { env: { ...env, NAME: key } }));
    const said = ({ steps }: RunRow) => steps.flatMap(({ output }) => (output as { stdout: string }).stdout.trim().split("\n"));
    const most = (row: RunRow) => Math.max(...said(row).map(Number));

    expect(most(await dag(steps, { parallelism: 1 }))).toBe(1);
    expect(most(await dag(steps, { parallelism: 2 }))).toBe(2);
  });

  test("checkpointInterval is how often the run leaves a checkpoint of its own", async () => {
    const steps = [shell("a", "sleep 1.1"), shell("b", "sleep 1.1", { dependencies: ["a"] })];
    const kept = async (config: object) => {
      const { items } = await listCheckpoints(stack.db, (await dag(steps, config)).id, { limit: 100 });
      return items.length;
    };

    // Besides one a step.
    expect(await kept({ checkpointInterval: 60_000 })).toBe(2);
    expect(await kept({ checkpointInterval: 1000 })).toBe(4);
  });

  test("parallel: false keeps a step from running beside others", async () => {
    const row = await dag([shell("alone", "sleep 0.3", { parallel: false }), shell("other", "true")]);
    const [alone, other] = row.steps;

    expect(other?.step_id).toBe("other");
    expect(Date.parse(other?.started_at ?? "")).toBeGreaterThanOrEqual(Date.parse(alone?.completed_at ?? "none"));
  });

  test("agent is the role in which the agent works", async () => {
    const row = await dag([{ key: "look", agent: "security", prompt: "[[say Safe.]]" }]);

    expect(row.steps[0]).toMatchObject({
      input: { role: "security" },
      output: { text: "Safe." },
    });
  });

  test("outputSchema is what an agent must answer", async () => {
    const outputSchema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    const step = (key: string, prompt: string) => ({ key, agent: "backend", prompt, outputSchema, optional: true });
    const row = await dag([
      step("fits", '[[answer {"n": 1}]]'),
      step("said", '[[say {"n": 2}]]'),
      step("none", "[[say Three.]]"),
    ]);

    expect(Object.fromEntries(row.steps.map(({ step_id, output, error }) => [step_id, error?.type ?? output]))).toMatchObject({
      fits: { data: { n: 1 } },
      said: { data: { n: 2 } },
      none: "agent_schema_failed",
    });
  });
});

describe("of stages", { timeout: 120_000 }, () => {
  const stages = (text: string) => stack.start(`name: Fields\nstages: [code, check]\n${text}`, { ending: ".workflow.yml" });

  test("on_failure: continue goes to the next stage, with its retries behind it", async () => {
    const run = await stages(`
stageConfigs:
  code: { on_failure: continue, retries: 1, retry_backoff: 0, command: exit 1 }
  check: { command: "true" }`);

    expect((await run.finished(60_000)).steps).toMatchObject([
      { step_id: "code", status: "failed", attempt: 2 },
      { step_id: "check", status: "completed" },
    ]);
  });

  test("on_failure: retry tries again after retry_backoff, then its double, and stops", async () => {
    const run = await stages(`
stageConfigs:
  code: { on_failure: retry, retries: 2, retry_backoff: 0.5, command: exit 1 }
  check: { command: "true" }`);
    const row = await run.finished(60_000);

    expect(row).toMatchObject({ status: "failed", steps: [{ step_id: "code", attempt: 3 }] });
    expect(row.steps[0]?.duration_ms).toBeGreaterThanOrEqual(1500);
  });

  test("role is whom the agent is to be, and its prompt sees the input and earlier stages", async () => {
    const run = await stages(`
code: { provider: claude-code, role: coder, prompt: "[[say Coded.]]" }
check: { provider: claude-code, role: reviewer }`);
    const row = await run.finished(60_000);

    expect(row.steps.map(({ input }) => input)).toMatchObject([
      { provider: "claude", role: "coder" },
      { role: "reviewer", prompt: expect.stringContaining("Coded.") },
    ]);
    expect(row.steps.map(({ phase }) => phase)).toEqual(["code", "check"]);
  });
});

describe("of tools", { timeout: 120_000 }, () => {
  const shell = (name: string, command: string, more: object = {}) => ({ name, type: "shell", command, ...more });
  const tools = (steps: object[], config: object = {}) => json({ name: "fields", dialect: "tools", config, steps });

  test("config.timeoutMs ends the run", async () => {
    expect(await tools([shell("long", "sleep 60")], { timeoutMs: 1500 })).toMatchObject({ status: "timed_out" });
  });

  test("config.maxRetries is for all steps, and a step's own retry beats it", async () => {
    const own = { retry: { maxAttempts: 3, backoff: "fixed", initialDelayMs: 100 } };
    const row = await tools([shell("all", "exit 1"), shell("own", "exit 1", own)], { maxRetries: 1, continueOnError: true });

    expect(row).toMatchObject({ status: "completed", steps: [{ attempt: 2 }, { attempt: 3 }] });
  });

  test.each([
    ["fixed", 1200],
    ["linear", 2400],
    ["exponential", 2800],
  ])("retry.backoff: %s waits so long in all", async (backoff, ms) => {
    const retry = { maxAttempts: 4, backoff, initialDelayMs: 400, multiplier: 2, maxDelayMs: 10_000 };
    const row = await tools([shell("again", "exit 1", { retry })]);

    expect(row.steps[0]).toMatchObject({ attempt: 4 });
    expect(row.steps[0]?.duration_ms).toBeGreaterThanOrEqual(ms);
  });

  test("retry.maxDelayMs is the longest wait", async () => {
    // Without it, the last wait were a thousand seconds.
    const retry = { maxAttempts: 4, backoff: "exponential", initialDelayMs: 100, multiplier: 100, maxDelayMs: 300 };

    expect(await tools([shell("again", "exit 1", { retry })])).toMatchObject({ steps: [{ attempt: 4, status: "failed" }] });
  });
});

async function yaml(source: string, options: StartOptions = {}): Promise<RunRow> {
  return (await stack.start(source, { ending: ".yaml", ...options })).finished(60_000);
}

async function json(definition: object): Promise<RunRow> {
  return (await stack.start(JSON.stringify(definition), { ending: ".json" })).finished(60_000);
}
