// Several agents that are asked the same at the same time: stages with `mode: parallel`, and `ctx.agents`.
import { beforeAll, describe, expect, test } from "vitest";
import { getRun } from "../db/runs.js";
import type { Move } from "../local/model-script.js";
import type { ModelServer } from "../local/model-server.js";
import { processesOf } from "./faults/traces.js";
import { answer } from "./support/example-project.js";
import { type Longhaul, longhaul, type RunRow, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";
import { type Ask, served } from "./support/served.js";

/** What each model answers when it is asked to vote. */
const VOTES: Record<string, () => Move> = {
  yes: () => answer({ ok: true, why: "It is fast." }),
  "also-yes": () => answer({ ok: true, why: "It is small." }),
  no: () => answer({ ok: false, why: "It is slow." }),
  refuses: () => ({ status: 400, message: "Not today." }),
  hangs: () => ({ hang: true }),
  "hangs-too": () => ({ hang: true }),
  "waits-for-hangs": () => (isAsked("hangs") ? { say: "Here." } : { status: 400 }),
};

/** The second maker's agent, where it is installed. */
const other = process.env.LONGHAUL_CODEX_BIN ? "codex" : "claude";

let model: ModelServer;
let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  const vote = { when: /^Vote/, moves: (_: unknown, asked: { model: string }) => [VOTES[asked.model]?.() ?? { say: "What?" }] };
  model = await scriptedModel({ rules: [vote] });
  stack = await longhaul();
  ask = await served(stack);
});

describe("a stage with `mode: parallel`", { timeout: 120_000 }, () => {
  test("asks all its providers, each in a step of its own, and later stages have their answers by name", async () => {
    const row = await stages(`
ask: { mode: parallel, providers: [claude-code, { provider: ${other}, name: other }], prompt: "[[write sprung.txt x]] [[say Both.]]" }
use: { command: "echo \${ask.claude.text} \${ask.other.text}; ls" }`);

    expect(row.error).toBeNull();
    expect(row.steps.map(({ step_id, kind, status }) => [step_id, kind, status])).toEqual([
      ["ask", "agent", "completed"],
      ["ask.claude", "agent", "completed"],
      ["ask.other", "agent", "completed"],
      ["use", "shell", "completed"],
    ]);
    const [ask, claude, second, use] = row.steps;
    expect([claude, second]).toMatchObject([
      { input: { provider: "claude", permission: "plan" }, session: { agent: "claude" } },
      { input: { provider: other, permission: "plan" }, session: { agent: other } },
    ]);
    expect(claude?.started_at && second?.completed_at && claude.started_at < second.completed_at).toBe(true);
    expect(ask).toMatchObject({ session: null, output: { claude: { text: "Both." }, other: { text: "Both." } } });
    expect(use?.output).toMatchObject({ stdout: "Both. Both.\nREADME.md\n" });
  });

  test("fails with the first that failed, when it needs all, and goes on where on_failure says so", async () => {
    const row = await stages(`
ask: { mode: parallel, providers: [${voters("yes", "refuses")}], prompt: Vote, on_failure: continue }
use: { command: "echo on" }`);

    expect(row.steps.map(({ step_id, status }) => `${step_id} ${status}`)).toEqual([
      "ask failed",
      "ask.yes completed",
      "ask.refuses failed",
      "use completed",
    ]);
    expect(row.steps[0]).toMatchObject({
      error: { type: "agent_api_error", message: expect.stringContaining("refuses:") },
      output: { answers: { yes: { sessionId: expect.any(String) } }, failures: { refuses: { type: "agent_api_error" } } },
    });
    expect(row.status).toBe("completed");
  });

  test("in a race takes the first answer, and nothing of the others is left", async () => {
    const row = await stages(`
ask: { mode: parallel, strategy: race, providers: [${voters("hangs", "refuses", "waits-for-hangs")}], prompt: Vote, retry: { maxAttempts: 30, delay: 100 } }
use: { command: "echo \${ask.text} \${ask.winner}" }`);

    expect(row.error).toBeNull();
    expect(processesOf([row.id])).toEqual([]);
    expect(row.steps.map(({ step_id, status }) => `${step_id} ${status}`)).toEqual([
      "ask completed",
      "ask.hangs cancelled",
      "ask.refuses cancelled",
      "ask.waits-for-hangs completed",
      "use completed",
    ]);
    const message = "Its answer was not needed any more: waits-for-hangs had decided.";
    expect(row.steps[1]?.sessions).toMatchObject([{ agent: "claude", status: "cancelled" }]);
    expect(row.steps.slice(1, 3).map(({ error }) => error)).toEqual([1, 2].map(() => ({ type: "cancelled", message })));
    expect(row.steps.at(-1)?.output).toMatchObject({ stdout: "Here. waits-for-hangs\n" });
  });

  test("by majority takes what more than half of them say, as soon as they have, by the fields that count", async () => {
    const row = await stages(`
ask: { mode: parallel, strategy: majority, agree_on: ok, providers: [${voters("also-yes", "hangs", "yes")}], prompt: Vote }
use: { command: "echo \${ask.ok}; echo \${ask.why}; echo \${ask.agreed}" }`);

    expect(row.error).toBeNull();
    expect(processesOf([row.id])).toEqual([]);
    expect(statusOf(row, "ask.hangs")).toBe("cancelled");
    expect(row.steps.at(-1)?.output).toMatchObject({
      stdout: expect.stringMatching(/^true\nIt is (fast|small)\.\n\["(also-yes","yes|yes","also-yes)"\]\n$/),
    });
  });

  test("without a majority fails, and keeps all answers", async () => {
    const row = await stages(`
ask: { mode: parallel, strategy: majority, providers: [${voters("yes", "also-yes", "no")}], prompt: Vote }
use: { command: "echo on" }`);

    expect(row).toMatchObject({ status: "failed", error: { type: "no_majority", step_id: "ask" } });
    expect(row.steps[0]?.output).toMatchObject({
      answers: { yes: {}, "also-yes": {}, no: { text: expect.stringContaining("It is slow.") } },
      failures: {},
    });
    expect(row.steps.map(({ step_id }) => step_id)).not.toContain("use");
  });

  test("is stopped with its run, each of its agents", async () => {
    const providers = voters("hangs", "hangs-too");
    const definition = `name: Stopped\nstages: [ask]\nask: { mode: parallel, providers: [${providers}], prompt: Vote }`;
    const run = await stack.start(definition, { ending: ".workflow.yml" });
    await expect.poll(() => isAsked("hangs-too") && processesOf([run.id]).length).toBeGreaterThan(1);
    await stack.client.workflow.getHandle(run.id).cancel();
    const row = await run.finished();

    expect(row.status).toBe("cancelled");
    expect(row.steps.map(({ status, error }) => [status, error?.message])).toEqual(
      ["ask", "ask.hangs", "ask.hangs-too"].map(() => ["cancelled", "The run was stopped."]),
    );
    expect(processesOf([run.id])).toEqual([]);
  });
});

describe("a fork of a run with a panel", { timeout: 120_000 }, () => {
  const providers = voters("yes", "hangs", "also-yes");
  const vote = `ask: { mode: parallel, strategy: majority, agree_on: ok, providers: [${providers}], prompt: Vote }`;

  test("after it asks nobody again, and comes to the same", async () => {
    const row = await stages(`${vote}\nuse: { command: "echo \${ask.winner}" }`);
    const before = model.requests.length;

    const forked = await fork(row, 5);

    expect(forked).toMatchObject({ status: "completed", output: { outputs: { use: outputOf(row, "use") } } });
    expect(forked.steps.map(({ step_number, step_id, status }) => [step_number, step_id, status])).toEqual(
      row.steps.map(({ step_number, step_id, status }) => [step_number, step_id, status]),
    );
    expect(outputOf(forked, "ask")).toEqual(outputOf(row, "ask"));
    expect(model.requests).toHaveLength(before);
  });

  test("within it asks again those from there on", async () => {
    const row = await stages(
      `ask: { mode: parallel, providers: [${voters("yes", "no")}], prompt: Vote }\nuse: { command: "echo \${ask.no.text}" }`,
    );
    const before = model.requests.length;

    const forked = await fork(row, 3);

    expect(forked.status).toBe("completed");
    expect(outputOf(forked, "ask.yes")).toEqual(outputOf(row, "ask.yes"));
    expect(outputOf(forked, "ask")).toMatchObject({
      no: { sessionId: (outputOf(forked, "ask.no") as { sessionId: string }).sessionId },
    });
    expect(model.requests.slice(before).map(({ conversation }) => conversation.model)).not.toContain("yes");
    expect(model.requests.length).toBeGreaterThan(before);
  });

  test("takes another answer of it as it is given", async () => {
    const row = await stages(`${vote}\nuse: { command: "echo \${ask.winner}" }`);
    const before = model.requests.length;

    const forked = await fork(row, 5, { outputs: { ask: { winner: "nobody" } } });

    expect(outputOf(forked, "use")).toMatchObject({ stdout: "nobody\n" });
    expect(model.requests).toHaveLength(before);
  });
});

describe("ctx.agents", { timeout: 120_000 }, () => {
  test("gives all answers by name, or the one that was found", async () => {
    const row = await code(`
const schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] };
const all = await ctx.agents("all", "Vote", { providers: [${voters("yes", "no")}], schema });
const most = await ctx.agents("most", "Vote", { providers: [${voters("yes", "no", "also-yes")}], schema, strategy: "majority", agreeOn: "ok" });
const first = await ctx.run("inside", () => ctx.agents("first", "Vote", { providers: [${voters("hangs", "yes")}], schema, strategy: "race" }));
const none = await ctx.agents("none", "Vote", { providers: [${voters("refuses", "hangs")}], strategy: "race", timeout: 4000 }).catch((error) => error);
return { all: [all.yes.data, all.no.data], most: [most.data.ok, most.agreed.toSorted()], first: first.winner, none: [none.type, none.output.failures.hangs.type], kept: ctx.getStepResult("most.no").data.data.ok };`);

    expect(row.error).toBeNull();
    expect(row.output).toMatchObject({
      all: [{ ok: true }, { ok: false }],
      most: [true, ["also-yes", "yes"]],
      first: "yes",
      none: ["all_agents_failed", "timed_out"],
      kept: false,
    });
    expect(row.steps.map(({ step_id }) => step_id)).toEqual([
      ...[
        "all",
        "all.yes",
        "all.no",
        "most",
        "most.yes",
        "most.no",
        "most.also-yes",
        "inside",
        "none",
        "none.refuses",
        "none.hangs",
      ],
    ]);
    expect(processesOf([row.id])).toEqual([]);
  });

  test("refuses what makes no sense before anybody is asked", async () => {
    const before = model.requests.length;
    const row = await code(`
const two = { providers: ["claude", "codex"] };
const wrong = [
  { providers: ["claude"] }, { providers: ["claude", "claude"] }, { ...two, strategy: "most" }, { ...two, agreeOn: "ok" },
  { ...two, permission: "acceptEdits" }, { providers: ["claude", "clyde"] }, { ...two, maxTurns: 3 },
];
const said = [];
for (const options of wrong) said.push(await ctx.agents("ask", "Vote", options).catch(({ type, message }) => type + ": " + message));
return said;`);

    expect(row.output).toEqual([
      expect.stringMatching(/^invalid_input: .*2 to 10 agents, not 1/),
      expect.stringMatching(/^invalid_input: .*are called "claude"/),
      expect.stringMatching(/^invalid_input: .*all, race, majority, not "most"/),
      expect.stringMatching(/^invalid_input: .*"majority"/),
      expect.stringMatching(/^invalid_input: .*share one tree.*"acceptEdits"/),
      expect.stringMatching(/^provider_unavailable: .*"clyde"/),
      expect.stringMatching(/^agent_unsupported: .*Codex/),
    ]);
    expect(model.requests).toHaveLength(before);
  });
});

/** Agents by the models that they use, each called as its model. */
function voters(...models: string[]): string {
  return models.map((name) => `{ provider: "claude", name: "${name}", model: "${name}" }`).join(", ");
}

function isAsked(name: string): boolean {
  return model.requests.some(({ conversation }) => conversation.model === name);
}

function stages(text: string): Promise<RunRow> {
  return ended(`name: Panel\nstages: [ask, use]\n${text}`, { ending: ".workflow.yml" });
}

function code(body: string): Promise<RunRow> {
  return ended(`import { defineWorkflow } from "longhaul";
export default defineWorkflow({ name: "panel", async execute(ctx) {${body}} });`);
}

async function ended(source: string, options?: StartOptions): Promise<RunRow> {
  return (await stack.start(source, options)).finished(100_000);
}

async function fork({ id }: RunRow, step_number: number, more: object = {}): Promise<RunRow> {
  const reply = await ask("POST", `/api/runs/${id}/fork`, { step_number, ...more });
  expect(reply.status).toBe(201);
  const forked: RunRow = reply.body.data;
  const read = () => getRun(stack.db, forked.id);
  await expect.poll(async () => (await read()).status, { timeout: 60_000 }).toMatch(/completed|failed/);
  return read();
}

function outputOf({ steps }: RunRow, key: string): unknown {
  return steps.find(({ step_id }) => step_id === key)?.output;
}

function statusOf({ steps }: RunRow, key: string): string | undefined {
  return steps.find(({ step_id }) => step_id === key)?.status;
}
