import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Json } from "../contract/json.js";
import type { Reply } from "./support/api.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

describe("a fork", () => {
  test("does the step again and those after it, with the tree as it was and none of those before", async () => {
    const done = join(stack.project, "..", "done-once");
    const run = await stack.start(
      workflow(
        "delivery",
        `await ctx.shell("echo one >> ${done}; echo draft > notes.txt", { name: "write" });
         const { branch } = await ctx.git.ensureBranch("feature/notes");
         const { value } = await ctx.run("count", () => { ctx.set("seen", 1); return { value: 41 }; });
         await ctx.shell("cat notes.txt && echo later > notes.txt && test -e ${done}.ok", { name: "check" });
         return { branch, value, seen: ctx.get("seen") };`,
      ),
    );
    expect(await run.finished()).toMatchObject({ status: "failed", error: { step_id: "check" } });
    execFileSync("touch", [`${done}.ok`]);

    const reply = await ask("POST", `/api/runs/${run.id}/retry`, { mode: "fork" });

    expect(reply.status).toBe(201);
    expect(reply.body.data).toMatchObject({ parent_run_id: run.id, triggered_by: "fork", status: "pending" });
    const forked = await ended(idOf(reply));
    const branch = `feature/notes-fork-${forked.id.slice(-6)}`;
    expect(forked).toMatchObject({
      status: "completed",
      branch_name: branch,
      state: { seen: 1 },
      output: { branch, value: 41, seen: 1 },
      steps: [
        { step_id: "write", status: "completed" },
        { step_id: "git-ensure-branch", status: "completed" },
        { step_id: "count", status: "completed", output: { value: 41 } },
        { step_id: "check", status: "completed", output: { stdout: "draft\n" } },
      ],
    });
    const before = await run.row();
    expect(forked.steps.slice(0, 3).map(({ completed_at }) => completed_at)).toEqual(
      before.steps.slice(0, 3).map(({ completed_at }) => completed_at),
    );
    expect(readFileSync(done, "utf8")).toBe("one\n");
    expect(readFileSync(join(tree(before), "notes.txt"), "utf8")).toBe("later\n"); // the other run's tree is its own
    expect(execFileSync("git", ["branch", "--show-current"], { cwd: tree(forked), encoding: "utf8" }).trim()).toBe(branch);
  });

  test("at its first step has a branch of its own, too, also when it is restored", async () => {
    const run = await stack.start(
      workflow(
        "branching",
        `await ctx.git.ensureBranch("feature/first"); await ctx.shell("echo one > one.txt", { name: "one" }); await ctx.git.commit("One");`,
      ),
    );
    await run.finished();

    const forked = await ended(idOf(await fork(run, { step_number: 1 })));
    await ask("POST", `/api/runs/${forked.id}/restore`, { checkpoint_id: `${forked.id}-k1` });
    const restored = await ended(forked.id);

    const branch_name = `feature/first-fork-${forked.id.slice(-6)}`;
    expect(forked).toMatchObject({ status: "completed", branch_name });
    expect(restored).toMatchObject({ status: "completed", branch_name, resume_count: 1 });
    expect(await run.row()).toMatchObject({ branch_name: "feature/first" });
  });

  test("takes other outputs of earlier steps, and another input", async () => {
    const run = await stack.start(
      workflow(
        "plan-and-do",
        `const plan = await ctx.run("plan", () => ({ tasks: ["a"] }));
         for (const task of plan.tasks) await ctx.shell("echo $TASK $WHO", { name: "do", env: { TASK: task, WHO: ctx.input.who } });`,
        `input: z.object({ who: z.string() }),`,
      ),
      { input: { who: "ada" } },
    );
    await run.finished();

    const reply = await fork(run, { step_number: 2, outputs: { plan: { tasks: ["b", "c"] } }, input: { who: "eve" } });

    expect(await ended(idOf(reply))).toMatchObject({
      status: "completed",
      input: { who: "eve" },
      steps: [
        { output: { tasks: ["b", "c"] } },
        { step_id: "do", output: { stdout: "b eve\n" } },
        { step_id: "do", iteration: 2, output: { stdout: "c eve\n" } },
      ],
    });
  });

  test("of steps side by side keeps the order in which they ended, and failures that were borne", async () => {
    const run = await stack.start(
      workflow(
        "side-by-side",
        `const order = [];
         const note = (name) => () => order.push(name);
         const tell = (name) => () => ctx.shell("touch after-" + name, { name: "tell-" + name });
         const after = (name) => "until test -e after-" + name + "; do sleep 0.05; done";
         await ctx.parallel([
           () => ctx.shell(after("b"), { name: "a" }).then(note("a")),
           () => ctx.shell(after("c"), { name: "b" }).then(note("b")).then(tell("b")),
           () => ctx.shell("true", { name: "c" }).then(note("c")).then(tell("c")),
         ]);
         const borne = await ctx.step("borne", { type: "script", command: "exit 3", onFailure: "continue" });
         await ctx.run("last", () => order.join());
         return { order, borne: borne.status };`,
      ),
    );
    const first = await run.finished();
    expect(first.output).toEqual({ order: ["c", "b", "a"], borne: "failed" });

    const reply = await fork(run, { step_number: 7 });

    const forked = await ended(idOf(reply));
    expect(forked.output).toEqual(first.output);
    expect(forked.steps.map(({ started_at }) => started_at).slice(0, 6)).toEqual(
      first.steps.map(({ started_at }) => started_at).slice(0, 6),
    );
  });

  test("of a plan goes on where it is told, in the midst of a loop", async () => {
    const run = await stack.start(
      JSON.stringify({
        name: "looping",
        phases: ["one"],
        steps: [1, 2, 3, 4].map((n) => ({
          id: `s${n}`,
          name: `s${n}`,
          phase: "one",
          type: "script",
          command: `echo ${n} >> all.txt; cat all.txt`,
        })),
      }),
      { ending: ".json" },
    );
    await run.finished();

    const reply = await fork(run, { step_number: 3 });

    const forked = await ended(idOf(reply));
    expect(forked.steps.map(({ output }) => (output as { stdout: string }).stdout)).toEqual([
      "1\n",
      "1\n2\n",
      "1\n2\n3\n",
      "1\n2\n3\n4\n",
    ]);
  });

  test("of a fork begins with what that one began with", async () => {
    const run = await stack.start(
      workflow("thrice", `for (const n of [1, 2, 3]) await ctx.shell(\`echo \${n} >> all.txt; cat all.txt\`, { name: "add" });`),
    );
    await run.finished();
    const second = await ended(idOf(await fork(run, { step_number: 3 })));
    const third = await ended(idOf(await ask("POST", `/api/runs/${second.id}/fork`, { step_number: 2 })));

    expect(third.steps.map(({ output }) => (output as { stdout: string }).stdout)).toEqual(["1\n", "1\n2\n", "1\n2\n3\n"]);
    expect(existsSync(tree(third))).toBe(true);
  });

  test("takes more steps than are read at once", async () => {
    const run = await stack.start(
      workflow(
        "many",
        `let sum = 0;
         for (let n = 1; n <= 600; n++) sum += await ctx.run("n", () => (ctx.input.dear ? n : 0));
         return sum;`,
        `input: z.object({ dear: z.boolean() }),`,
      ),
      { input: { dear: true } },
    );
    await run.finished();

    const reply = await fork(run, { step_number: 600, input: { dear: false } });

    expect((await ended(idOf(reply))).output).toBe((599 * 600) / 2);
  });

  test("of a run that is still under way leaves it alone", async () => {
    const run = await stack.start(
      workflow(
        "asking",
        `await ctx.shell("echo one", { name: "one" }); return (await ctx.approve("sure", { message: "Sure?" })).approved;`,
      ),
    );
    await run.until(({ status }) => status === "waiting");

    const reply = await fork(run, { step_number: 2 });
    const forked = await waiting(idOf(reply));
    await ask("POST", `/api/runs/${forked.id}/approvals/sure`, { answer: "approve" });

    expect(await ended(forked.id)).toMatchObject({ status: "completed", output: true });
    expect(await run.row()).toMatchObject({ status: "waiting" });
    await ask("POST", `/api/runs/${run.id}/cancel`);
    await run.finished();
  });

  test("of what is not right is refused, and begins nothing", async () => {
    const run = await stack.start(
      workflow("small", `await ctx.shell("true", { name: "one" });`, `input: z.object({ who: z.string() }),`),
      { input: { who: "ada" } },
    );
    await run.finished();

    const wrong: [body: Json, path: string, message: string][] = [
      [{ step_number: 9 }, "step_number", "is past the end"],
      [{ step_number: 0 }, "step_number", ""],
      [{ step_number: 1, outputs: { one: 1 } }, "outputs.one", "is no step that had ended before"],
      [{ step_number: 2, input: { who: 1 } }, "who", ""],
      [{}, "step_number", ""],
    ];
    for (const [body, path, message] of wrong) {
      const reply = await fork(run, body);
      expect(reply.status).toBe(400);
      expect(reply.body.errors).toMatchObject([
        { path: expect.stringContaining(path), message: expect.stringContaining(message) },
      ]);
    }
    expect((await ask("GET", `/api/runs?parent_run_id=${run.id}`)).body.page.total).toBe(0);
  });
});

function fork(run: StartedRun, body: Json) {
  return ask("POST", `/api/runs/${run.id}/fork`, body);
}

function idOf({ body }: Reply): string {
  const { id }: RunRow = body.data;
  return id;
}

async function ended(id: string): Promise<RunRow> {
  return poll(id, ({ status }) => ["completed", "failed", "cancelled", "timed_out"].includes(status));
}

function waiting(id: string): Promise<RunRow> {
  return poll(id, ({ status }) => status === "waiting");
}

async function poll(id: string, wanted: (run: RunRow) => boolean): Promise<RunRow> {
  const read = async (): Promise<RunRow> => (await ask("GET", `/api/runs/${id}`)).body.data;
  await expect.poll(async () => wanted(await read())).toBe(true);
  return read();
}

function tree({ project_id, id }: RunRow): string {
  return join(stack.config.home, "worktrees", project_id, id);
}

function workflow(name: string, body: string, head = ""): string {
  return `import { defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({ name: "${name}", ${head} async execute(ctx) { ${body} } });
void z;
`;
}
