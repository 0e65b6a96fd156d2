import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { listLogLines } from "../db/log-lines.js";
import { executions as executionsTable } from "../db/schema.js";
import { processesOf } from "./faults/traces.js";
import { codeOf, inTree } from "./support/flows.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";
import { type Ask, served } from "./support/served.js";

const model = await scriptedModel();
let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

describe("what an agent may not do by itself", { timeout: 120_000 }, () => {
  test("is asked of a person: the step waits, says for what, and nothing runs", async () => {
    const run = await asking("[[shell touch made.txt]] [[say It is made.]]");
    const { waiting_for, steps } = await run.row();
    expect(waiting_for).toMatchObject({
      kind: "approval",
      step_id: `${run.id}-1`,
      message: expect.stringMatching(
        /^The agent of "work" asks whether it may use Bash in \/.*: touch made\.txt \(as the prompt says\)$/,
      ),
      fields: { properties: { scope: { enum: ["once", "run"], default: "once" } } },
      request: `${run.id}-1-q1`,
      permission: { tool: "Bash", input: { command: "touch made.txt" }, reason: "as the prompt says" },
    });
    expect(steps).toMatchObject([{ kind: "agent", status: "waiting", waiting_for }]);
    expect(processesOf([run.id])).toEqual([]);
    const calls = model.requests.length;

    const reply = await answer(run, "work", { answer: "approve", reason: "fine" });
    const row = await run.finished();

    expect(reply).toMatchObject({ status: 200, body: { data: { step_id: "work", waiting_for: null } } });
    expect(made(row, "made.txt")).toBe("");
    expect(row.steps).toMatchObject([
      {
        status: "completed",
        attempt: 1,
        output: {
          text: "It is made.",
          permissionDenials: [],
          permissions: [
            { tool: "Bash", input: { command: "touch made.txt" }, allowed: true, scope: "once", by: "local", comment: "fine" },
          ],
        },
      },
    ]);
    expect(row.steps[0]?.sessions).toHaveLength(1);
    expect(model.requests.length - calls).toBe(2); // the call once more, and the answer to its result
    const lines = (await listLogLines(stack.db, run.id, { limit: 100 })).items.map(({ text }) => text);
    expect(lines).toContain("local allowed Bash once: fine");
    const { body } = await ask("GET", `/api/runs/${run.id}/events?limit=100`);
    const told: { type: string; data: object }[] = body.data;
    expect(told.filter(({ type }) => type.startsWith("workflow.approval.")).reverse()).toMatchObject([
      { type: "workflow.approval.requested", data: { step_id: `${run.id}-1`, request: `${run.id}-1-q1` } },
      { type: "workflow.approval.answered", data: { request: `${run.id}-1-q1`, approved: true, by: "local" } },
    ]);
  });

  test("is not done when it is refused: the agent is told why, goes on, and it is listed", async () => {
    const run = await asking("[[shell npm run deploy]] [[say I left it.]]", { permission: "acceptEdits" });

    await answer(run, "work", { answer: "reject", reason: "not on a Friday" });
    const row = await run.finished();

    expect(row.steps[0]?.output).toMatchObject({
      text: "I left it.",
      permissionDenials: [{ tool: "Bash", reason: expect.stringContaining("A person refused Bash: not on a Friday") }],
      permissions: [{ allowed: false, by: "local", comment: "not on a Friday" }],
    });
    expect(model.requests.at(-1)?.conversation.text).toContain("not on a Friday");
  });

  test("is allowed for the run: by what it begins with, in later steps, and when the run goes on in a further execution", async () => {
    const tags = ["one", "two", "three"].map((tag, i, all) => {
      const after = i === 0 ? "" : `, dependencies: [${all[i - 1]}]`;
      return `  - { key: ${tag}, agent: claude, prompt: "[[shell git tag ${tag}]]"${after} }`;
    });
    const yaml = ["name: tags", "steps:", ...tags].join("\n");
    const run = await stack.start(yaml, { ending: ".yaml", continue_after: 10 });
    const { waiting_for } = await run.until(isWaiting);
    expect(waiting_for?.permission?.for_run).toBe('Bash of what begins with "git tag"');

    await answer(run, "one", { answer: "approve", fields: { scope: "run" } });
    const row = await run.finished();

    expect(row.status).toBe("completed");
    expect(execFileSync("git", ["tag"], { cwd: stack.project, encoding: "utf8" }).split("\n")).toEqual(
      expect.arrayContaining(["one", "two", "three"]),
    );
    const executions = await stack.db.orm.select().from(executionsTable).where(eq(executionsTable.runId, run.id));
    expect(executions.length).toBeGreaterThan(1);
  });

  test("is asked again and again in one try, and an answer to what was asked before is refused", async () => {
    const run = await asking("[[shell touch one]] [[shell touch two]]");
    const first = { answer: "approve", request: `${run.id}-1-q1` };
    expect((await answer(run, "work", first)).status).toBe(200);
    await run.until(({ waiting_for }) => waiting_for?.request === `${run.id}-1-q2`);

    const stale = await answer(run, "work", first);
    expect(stale).toMatchObject({
      status: 409,
      body: { code: "answered", detail: expect.stringContaining("asks something else by now") },
    });
    expect(await answer(run, "work", { answer: "approve", fields: { scope: "ever" } })).toMatchObject({ status: 400 });
    expect((await answer(run, "work", { answer: "reject" })).status).toBe(200);

    const row = await run.finished();
    expect([made(row, "one"), made(row, "two")]).toEqual(["", null]);
    expect(row.steps[0]?.output).toMatchObject({ permissions: [{ allowed: true }, { allowed: false }] });
    expect(await answer(run, "work", { answer: "approve" })).toMatchObject({ status: 409 });
  });

  test("waits on over restarts of the worker, and over a pause", async () => {
    const run = await asking("[[shell touch made.txt]] [[say It is made.]]");
    await stack.worker.stop();
    stack.worker = await stack.startWorker();
    await ask("POST", `/api/runs/${run.id}/pause`, {});
    await run.until(({ status }) => status === "paused");

    const reply = await answer(run, "work", { answer: "approve" });
    expect(reply).toMatchObject({ status: 200, body: { data: { status: "waiting", waiting_for: null } } });
    expect(processesOf([run.id])).toEqual([]);
    await stack.worker.stop();
    stack.worker = await stack.startWorker();
    await ask("POST", `/api/runs/${run.id}/resume`, {});
    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", steps: [{ attempt: 1, output: { text: "It is made." } }] });
    expect(made(row, "made.txt")).toBe("");
    expect(row.steps[0]?.sessions).toHaveLength(1);
  });

  test("ends with its run when that is cancelled", async () => {
    const run = await asking("[[shell touch made.txt]]");
    await stack.client.workflow.getHandle(run.id).cancel();

    const row = await run.finished();

    expect(row).toMatchObject({ status: "cancelled", waiting_for: null, steps: [{ status: "cancelled", waiting_for: null }] });
    expect(row.steps[0]?.sessions).toMatchObject([{ status: "cancelled" }]);
    expect(await answer(run, "work", { answer: "approve" })).toMatchObject({ status: 409, body: { code: "finished" } });
  });

  test("counts as refused when nobody has answered by the deadline", async () => {
    const run = await begun("[[shell touch made.txt]] [[say I left it.]]", { ask: { deadline: 300 } });

    const row = await run.finished();

    expect(row.steps[0]).toMatchObject({
      input: { ask: { deadline_ms: 300 } },
      output: { text: "I left it.", permissions: [{ allowed: false, by: null }] },
    });
    expect(made(row, "made.txt")).toBeNull();
  });

  test("is not allowed by a deadline without the consent that bypassPermissions needs", async () => {
    const run = await begun("[[shell touch made.txt]]", { ask: { deadline: 300, default: "allow" } });

    expect(await run.finished()).toMatchObject({ status: "failed", error: { type: "permission_not_allowed" } });
  });

  test.each([
    ["in a run that nobody attends", {}, { interactive: false }],
    ["where nobody is to be asked", { ask: false }, {}],
    ["in mode plan", { permission: "plan" }, {}],
  ])("is refused at once %s", async (_, options, start) => {
    const run = await begun("[[write made.txt x]] [[say I left it.]]", options, start);

    const row = await run.finished();

    expect(row.steps[0]).toMatchObject({ status: "completed", output: { permissionDenials: [{ tool: "Write" }] } });
    expect(row.steps[0]?.output).not.toHaveProperty("permissions");
  });

  test("is refused at once inside ctx.run, which cannot wait", async () => {
    const run = await stack.start(
      codeOf(
        `return ctx.run("both", () => ctx.agent("work", { prompt: "[[shell touch made.txt]]" }).then((it) => it.permissionDenials));`,
      ),
    );

    expect((await run.finished()).output).toMatchObject([{ tool: "Bash" }]);
  });

  test("is allowed once for several agents that ask at once, when it is allowed for the run", async () => {
    const agents = ["left", "right"].map(
      (name) => `() => ctx.agent("${name}", { prompt: "[[write ${name}.txt x]] [[say ${name}]]" })`,
    );
    const run = await stack.start(codeOf(`await ctx.parallel([${agents}]);`));
    await run.until(({ steps, status }) => status === "waiting" && steps.every((step) => step.status === "waiting"));

    await answer(run, "right", { answer: "approve", fields: { scope: "run" } });
    const row = await run.finished();

    expect([made(row, "left.txt"), made(row, "right.txt")]).toEqual(["x", "x"]);
  });

  test("can be a question of its own, whose answers are the fields", async () => {
    const questions = [
      {
        question: "Which database?",
        header: "Database",
        options: [
          { label: "pg", description: "Postgres" },
          { label: "lite", description: "SQLite" },
        ],
      },
    ];
    const run = await asking(`[[tool AskUserQuestion ${JSON.stringify({ questions })}]] [[say I know.]]`);
    const { waiting_for } = await run.row();
    expect(waiting_for).toMatchObject({
      message: 'The agent of "work" asks: Which database?',
      fields: {
        properties: { Database: { description: expect.stringContaining("pg (Postgres); lite (SQLite)") } },
        required: ["Database"],
      },
    });
    expect(await answer(run, "work", { answer: "approve" })).toMatchObject({ status: 400 });

    await answer(run, "work", { answer: "approve", fields: { Database: "pg" } });
    const row = await run.finished();

    expect(row.steps[0]?.output).toMatchObject({ text: "I know.", permissions: [{ fields: { Database: "pg" } }] });
    expect(model.requests.at(-1)?.conversation.exchanges.at(-1)?.results.at(-1)?.text).toContain('"Which database?"="pg"');
  });
});

/** Each with its own binary: the protocol knows no waiting, so the turn is ended, and its session loaded again. */
describe.each(["gemini", "grok"])("what %s may not do by itself", (agent) => {
  const isThere = process.env[`LONGHAUL_${agent.toUpperCase()}_BIN`];

  test.skipIf(!isThere)(
    "is asked of a person, and done in the same session when it was allowed after a restart of the worker",
    async () => {
      const run = await asking("[[shell touch made.txt]] [[say It is made.]]", { agent });
      const asked = await run.row();
      const permission = { input: { command: "touch made.txt" }, for_run: "this very call of Bash" };
      expect(asked.waiting_for).toMatchObject({ kind: "approval", request: `${run.id}-1-q1`, permission });
      expect(made(asked, "made.txt")).toBeNull();
      expect(processesOf([run.id])).toEqual([]);
      await stack.worker.stop();
      stack.worker = await stack.startWorker();

      expect((await answer(run, "work", { answer: "approve", reason: "fine" })).status).toBe(200);
      const row = await run.finished();

      expect(row).toMatchObject({ status: "completed", steps: [{ attempt: 1, output: { text: "It is made." } }] });
      expect(made(row, "made.txt")).toBe("");
      expect(row.steps[0]?.output).toMatchObject({ permissions: [{ allowed: true, by: "local", comment: "fine" }] });
      expect(row.steps[0]?.sessions).toHaveLength(1);
    },
    120_000,
  );
});

function isWaiting({ status }: RunRow): boolean {
  return status === "waiting";
}

/** A run whose agent is given the prompt, in a step called work. */
function begun(prompt: string, options: object = {}, start: StartOptions = {}): Promise<StartedRun> {
  return stack.start(codeOf(`await ctx.agent("work", ${JSON.stringify({ ...options, prompt })});`), start);
}

async function asking(prompt: string, options: object = {}): Promise<StartedRun> {
  const run = await begun(prompt, options);
  await run.until(isWaiting);
  return run;
}

function answer(run: StartedRun, step: string, body: object) {
  return ask("POST", `/api/runs/${run.id}/approvals/${step}`, body);
}

/** What a file of the run's tree holds; null when there is none. */
function made(row: RunRow, name: string): string | null {
  const path = inTree(stack, row, name);
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}
