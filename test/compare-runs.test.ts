import { beforeAll, expect, test } from "vitest";
import type { Comparison } from "../contract/comparison.js";
import type { Usage } from "../contract/usage.js";
import { agentSessions } from "../db/schema.js";
import { scriptsOf } from "./support/flows.js";
import { git as gitIn } from "./support/git-project.js";
import { type Longhaul, longhaul, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

test("two runs beside each other show which steps, outputs, costs and files differ, and where", async () => {
  const source = (version: number) => `import { defineWorkflow } from "longhaul";
     import { z } from "zod";
     export default defineWorkflow({ name: "both", version: "${version}.0.0", input: z.object({ text: z.string(), twice: z.boolean() }),
       async execute(ctx) {
         await ctx.shell("seq 40 > moved.txt; echo same > same.txt; head -c 1 /dev/zero > bin", { name: "begin" });
         await ctx.run("read", () => ({ said: { text: ctx.input.text, n: 1 } }));
         await ctx.shell("echo $TEXT > notes.txt" + (ctx.input.twice ? "; mv moved.txt 'a b.txt'; rm bin" : ""), { name: "write", env: { TEXT: ctx.input.text } });
         if (ctx.input.twice) await ctx.shell("test -e notes.txt", { name: "write" });
         return ctx.input.text;
       } });`;
  const [one, other] = [
    await stack.start(source(1), { input: { text: "one", twice: false } }),
    await stack.start(source(2), { input: { text: "two", twice: true } }),
  ];
  await Promise.all([one.finished(), other.finished()]);
  await spend(one, 2, { output_tokens: 30, cost_usd: 0.25 });
  await spend(other, 2, { output_tokens: 70, cost_usd: 0.2 });

  const found = await compare(one, other);

  expect(found).toMatchObject({
    a: { id: one.id, status: "completed", steps: 3, tokens: 130, cost_usd: 0.25 },
    b: { id: other.id, status: "completed", steps: 4, tokens: 170, cost_usd: 0.2 },
    difference: { tokens: 40, cost_usd: -0.05, duration_ms: expect.any(Number), steps_ms: expect.any(Number) },
    input: { equal: false, paths: ["text", "twice"] },
    output: { equal: false, paths: [""] },
    counts: { same: 2, different: 1, only_in_a: 0, only_in_b: 1 },
    tree_problem: null,
  });
  expect(found.steps).toMatchObject([
    { step_id: "begin", iteration: 1, a: { status: "completed" }, b: { step_number: 1 }, output: { equal: true, paths: [] } },
    { step_id: "read", output: { equal: false, paths: ["said.text"] }, a: { usage: { cost_usd: 0.25 } } },
    { step_id: "write", iteration: 1, output: { equal: true } },
    { step_id: "write", iteration: 2, a: null, b: { step_number: 4, kind: "shell" }, output: null },
  ]);
  expect(found.tree).toMatchObject({ equal: false, additions: 1, deletions: 1, truncated: false });
  expect(found.tree?.files).toEqual([
    { path: "a b.txt", from: "moved.txt", status: "renamed", additions: 0, deletions: 0 },
    { path: "bin", from: null, status: "deleted", additions: null, deletions: null },
    { path: "notes.txt", from: null, status: "modified", additions: 1, deletions: 1 },
  ]);
  expect(found.tree?.patch).toContain("-one\n+two\n");

  expect((await compare(one, other, "&patch=false")).tree?.patch).toBeNull();
  const itself = await compare(one, one);
  expect(itself).toMatchObject({ counts: { same: 3, different: 0 }, tree: { equal: true, files: [] }, input: { equal: true } });
  expect((await ask("GET", `/api/runs/${one.id}/compare?with=run_none`)).status).toBe(404);
  expect((await ask("GET", `/api/runs/${one.id}/compare`)).status).toBe(400);
});

test("two runs beside each other say when not all of the difference is told, and when a tree is gone", async () => {
  const left = await stack.start(scriptsOf("left", ["echo a > x"]), { ending: ".json" });
  const right = await stack.start(scriptsOf("right", ["echo b > x; for i in $(seq 90000); do echo line $i; done > long"]), {
    ending: ".json",
  });
  await Promise.all([left.finished(), right.finished()]);

  const found = await compare(left, right);
  expect(found.tree).toMatchObject({ truncated: true, additions: 90_001, files: [{ path: "long" }, { path: "x" }] });
  expect(found.tree?.patch?.length).toBeLessThanOrEqual(262_144);

  git("update-ref", "-d", `refs/longhaul/${left.id}/1`);
  git("reflog", "expire", "--expire=now", "--all");
  git("prune", "--expire=now");
  expect(await compare(left, right)).toMatchObject({
    tree: null,
    tree_problem: expect.stringContaining("tree of the first run is gone"),
  });
});

async function compare(one: StartedRun, other: StartedRun, more = ""): Promise<Comparison> {
  const { status, body } = await ask("GET", `/api/runs/${one.id}/compare?with=${other.id}${more}`);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body.data;
}

/** What an agent would have told. */
async function spend({ id }: StartedRun, step: number, told: Partial<Usage>): Promise<void> {
  const none = { input_tokens: 100, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, turns: 1 };
  await stack.db.orm.insert(agentSessions).values({
    id: `${id}-s1`,
    runId: id,
    workflowStepId: `${id}-${step}`,
    agent: "claude-code",
    status: "completed",
    usage: { ...none, cost_usd: null, ...told },
  });
}

function git(...args: string[]): string {
  return gitIn(stack.project, ...args);
}
