import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SIGNAL } from "../../contract/messages.js";
import type { Longhaul, StartedRun, StartOptions } from "../support/longhaul.js";
import type { Ask } from "../support/served.js";

/** What a scenario works with. */
export interface Scene {
  stack: Longhaul;
  ask: Ask;
  /** Files beside the project that a run may leave a mark in. */
  marks: string;
}

/** A run that is recorded. */
export interface Scenario {
  /** What the recording is called, and what it shows. */
  name: string;
  shows: string;
  source: (scene: Scene) => string;
  options?: StartOptions;
  /** What people do meanwhile. The run is recorded when this is over. @default waits for its end */
  meanwhile?: (scene: Scene, run: StartedRun) => Promise<unknown>;
  /** The run to record instead of the one that was started. @default that one */
  recorded?: (scene: Scene, run: StartedRun) => Promise<string>;
}

const code = (name: string, body: string, head = "", before = "") => `import { activityTypes, defineWorkflow } from "longhaul";
import { z } from "zod";
${before}
export default defineWorkflow({
  name: "${name}",
  ${head}
  async execute(ctx) {
    ${body.trim()}
  },
});
`;

/** Milliseconds that a part of a run may take on a busy machine. */
export const PATIENCE = 240_000;

const isWaiting = (kind: string) => (run: { waiting_for: { kind: string } | null }) => run.waiting_for?.kind === kind;
const signal = ({ stack }: Scene, run: StartedRun, name: string) =>
  stack.client.workflow.getHandle(run.id).signal(name, { id: `q-${name}`, at: new Date().toISOString() });
const answer = ({ ask }: Scene, run: StartedRun, step: string) =>
  ask("POST", `/api/runs/${run.id}/approvals/${step}`, { answer: "approve" });

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "every-kind",
    shows: "a step of each kind that does something, reads, state, comments, checkpoints, a retry, a failure that is borne",
    source: () =>
      code(
        "every-kind",
        `
    await ctx.shell("echo one > one.txt", { name: "write" });
    await ctx.git.ensureBranch("feature/" + ctx.runId.slice(-8));
    await ctx.git.commit("One");
    await ctx.files.write("two.txt", "two");
    await ctx.files.copy("two.txt", "three.txt");
    await ctx.files.delete("three.txt");
    const text = await ctx.files.read("two.txt");
    let tries = 0;
    await ctx.run("flaky", () => { if (++tries < 2) throw new Error("not yet"); return text; },
      { retry: { maxAttempts: 2, initialDelayMs: 10 } });
    ctx.set("seen", text);
    ctx.comment("Half of it is done.");
    ctx.checkpoint("half");
    await ctx.step("borne", { type: "script", command: "exit 3", onFailure: "continue" });
    await ctx.activities.double(21);
    await ctx.tool("everything.echo", { message: "hello" });
    await ctx.agent("look", { prompt: "[[say Fine.]]", permission: "plan" });
    await ctx.artifact("two", { path: "two.txt" });
    await ctx.parallel([() => ctx.shell("true", { name: "left" }), () => ctx.run("right", () => 1)]);
    for (const n of [1, 2]) await ctx.run("again", () => n);
    await ctx.shell("true", { name: "never", if: false });
    await ctx.sleep(5);
    return { text };`,
        "activities: activityTypes<typeof activities>(),",
        "export const activities = { async double(n: number) { return n * 2; } };",
      ),
  },
  {
    name: "asks-and-waits",
    shows: "an approval, an event, a comment and a pause from outside, and the way on",
    source: () =>
      code(
        "asks-and-waits",
        `
    await ctx.approve("go", { message: "Go on?" });
    await ctx.waitForEvent("deployed", {});
    await ctx.run("between", () => 1);
    await ctx.approve("sure", { message: "Sure?" });
    await ctx.run("after", () => 2);`,
      ),
    meanwhile: async (scene, run) => {
      await run.until(isWaiting("approval"), PATIENCE);
      await scene.ask("POST", `/api/runs/${run.id}/comments`, { text: "I look at it." });
      await answer(scene, run, "go");
      await run.until(isWaiting("event"), PATIENCE);
      await scene.ask("POST", `/api/runs/${run.id}/events/deployed`, { url: "https://stage.example" });
      await run.until(isWaiting("approval"), PATIENCE);
      await signal(scene, run, SIGNAL.pause);
      await run.until(({ status }) => status === "paused", PATIENCE);
      await answer(scene, run, "sure");
      await signal(scene, run, SIGNAL.resume);
      await run.finished(PATIENCE);
    },
  },
  {
    name: "still-open",
    shows: "a run in the midst of its work, which waits for an answer",
    source: () =>
      code(
        "still-open",
        `await ctx.run("first", () => 1); await ctx.approve("go", { message: "Go on?" }); await ctx.run("last", () => 2);`,
      ),
    meanwhile: (_, run) => run.until(isWaiting("approval"), PATIENCE),
  },
  {
    name: "with-child",
    shows: "a run that has another one run",
    source: () =>
      code(
        "with-child",
        `
    if (ctx.input.inner) return ctx.run("inner", () => 20);
    const half = await ctx.child("with-child", { inner: true });
    return ctx.run("outer", () => half + 22);`,
        "input: z.object({ inner: z.boolean().default(false) }),",
      ),
  },
  {
    name: "cancelled",
    shows: "a run that is cancelled while a process of it runs",
    source: () => code("cancelled", `await ctx.run("first", () => 1); await ctx.shell("sleep 60", { name: "long" });`),
    meanwhile: async (scene, run) => {
      await run.until(({ steps }) => steps[1]?.status === "running", PATIENCE);
      await sleep(500); // the process is there
      await scene.ask("POST", `/api/runs/${run.id}/cancel`, { reason: "enough" });
      await run.finished(PATIENCE);
    },
  },
  {
    name: "timed-out",
    shows: "a run whose time limit ends it",
    source: () => code("timed-out", `await ctx.run("first", () => 1); await ctx.shell("sleep 60", { name: "long" });`),
    options: { timeout_ms: 1_500 },
  },
  {
    name: "fork",
    shows: "a run that goes on from another one: a seed",
    source: ({ marks }) =>
      code(
        "fork",
        `
    await ctx.shell("echo kept > kept.txt", { name: "write" });
    await ctx.run("count", () => ({ n: 2 }));
    await ctx.shell("test -e ${join(marks, "mended")}", { name: "check" });`,
      ),
    recorded: async ({ stack, ask, marks }, run) => {
      await stack.start(code("mends", `await ctx.shell("touch ${join(marks, "mended")}");`)).then((mend) => mend.finished());
      const { body } = await ask("POST", `/api/runs/${run.id}/retry`, { mode: "fork" });
      return (body.data as { id: string }).id;
    },
  },
  {
    name: "phases",
    shows: "a plan with phases: items one after another, conditions, an approval by default, a failure, on_failure and finally",
    options: { ending: ".yaml", input: { items: ["a", "b", "c"], on: false }, interactive: false },
    source: () => `name: phases-of-work
steps:
  - id: each
    type: script
    for_each: "{{ args.items }}"
    command: echo {{ item }}
  - id: sometimes
    type: script
    if: "{{ args.on }}"
    command: echo on
  - id: go
    type: approval
    message: Go on?
    default: approve
  - id: tries
    type: script
    command: exit 4
    retry: { maxAttempts: 2, initialDelayMs: 10 }
finally:
  - id: sweep
    type: script
    command: echo swept
`,
  },
  {
    name: "graph",
    shows: "a plan as a graph: steps side by side, each after those it needs",
    options: { ending: ".json" },
    source: () =>
      JSON.stringify({
        name: "graph-of-work",
        steps: [
          { key: "fetch", command: "echo fetched" },
          { key: "lint", command: "echo lint", dependencies: ["fetch"] },
          { key: "types", command: "echo types", dependencies: ["fetch"] },
          { key: "ship", command: "echo ship", dependencies: ["lint", "types"] },
        ],
      }),
  },
  {
    name: "stages-in-a-loop",
    shows: "a plan of stages in a loop, with a panel of agents",
    options: { ending: ".workflow.yml" },
    source: () => `name: Stages of work
stages: [code, check]
loop: { max_iters: 2, fallback_next_stage: code, stop_when: "$.done == true" }
code: { command: "echo coded >> work.txt" }
check: { mode: parallel, providers: [claude-code, { provider: claude-code, name: other }], prompt: '[[say {"done": false}]]' }
`,
  },
  {
    name: "continued",
    shows: "a long plan that goes on in further Temporal executions",
    options: { ending: ".yaml", input: { items: Array.from({ length: 12 }, (_, i) => i) }, continue_after: 60 },
    source: () => `name: continued
steps:
  - id: each
    type: script
    for_each: "{{ args.items }}"
    command: echo {{ item }}
`,
  },
];
