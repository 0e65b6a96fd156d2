import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { packageRoot } from "../package-root.js";
import { type Longhaul, longhaul, type RunRow, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";

let stack: Longhaul;
beforeAll(async () => {
  await scriptedModel();
  stack = await longhaul();
  const server = (name: string, argument: string) => {
    const program = join(packageRoot, `node_modules/@modelcontextprotocol/server-${name}/dist/index.js`);
    return { command: process.execPath, args: [program, argument] };
  };
  const mcpServers = { everything: server("everything", "stdio"), files: server("filesystem", stack.project) };
  mkdirSync(join(stack.project, ".agent"), { recursive: true });
  writeFileSync(join(stack.project, ".agent/mcp.json"), JSON.stringify({ mcpServers }));
});

describe("a YAML workflow", () => {
  test("does its steps in order, with arguments and earlier outputs, and keeps what each gave", async () => {
    const row = await ended(
      `
name: greeting
argsSchema: { type: object, properties: { who: { type: string, default: world } } }
phases: [work]
steps:
  - { id: greet, type: script, phase: work, command: 'printf "hello %s" {{ args.who }}' }
  - { id: shout, type: script, phase: work, command: 'printf %s {{ steps.greet.stdout }} | tr a-z A-Z' }`,
      { input: { who: "$(touch x) 'you'" } },
    );

    expect(row).toMatchObject({ status: "completed", error: null });
    expect(stepsOf(row)).toEqual(["1 greet completed", "2 shout completed"]);
    expect(row.output).toMatchObject({ end_reason: "completed", outputs: { shout: { stdout: "HELLO $(TOUCH X) 'YOU'" } } });
    expect(row.steps[0]?.input).toMatchObject({ values: { LH_1: "$(touch x) 'you'" } });
    expect(row.steps[1]?.phase).toBe("work");
  });

  test("fills in the defaults of its arguments", async () => {
    const row = await ended(`
name: defaults
argsSchema: { type: object, properties: { who: { type: string, default: world } } }
steps:
  - { id: greet, type: script, command: 'printf %s {{ args.who }}' }`);

    expect(row.steps[0]?.output).toMatchObject({ stdout: "world" });
  });

  test("stops with the step that fails, after what is to be done then and in any case", async () => {
    const row = await ended(`
name: stops
steps:
  - { id: first, type: script, command: "true" }
  - { id: breaks, type: script, command: "exit 3" }
  - { id: never, type: script, command: "true" }
on_failure:
  - { id: tell, type: script, command: "printf %s {{ run.error.step_id }}" }
finally:
  - { id: tidy, type: script, command: "true" }`);

    expect(row).toMatchObject({ status: "failed", error: { type: "shell_failed", step_id: "breaks" } });
    expect(stepsOf(row)).toEqual(["1 first completed", "2 breaks failed", "3 tell completed", "4 tidy completed"]);
    expect(row.steps[2]?.output).toMatchObject({ stdout: "breaks" });
  });

  test("does what is to be done in any case when it is cancelled", async () => {
    const run = await stack.start(
      `
name: cancelled
steps:
  - { id: long, type: script, command: "sleep 60" }
finally:
  - { id: tidy, type: script, command: "echo tidy" }`,
      { ending: ".yaml" },
    );
    await run.until(({ steps }) => steps.some(({ status }) => status === "running"));
    await stack.client.workflow.getHandle(run.id).cancel();
    const row = await run.finished();

    expect(row.status).toBe("cancelled");
    expect(stepsOf(row)).toEqual(["1 long cancelled", "2 tidy completed"]);
  });

  test("goes one way or the other by its conditions, and shows what it left out", async () => {
    const row = await ended(
      `
name: ways
steps:
  - { id: count, type: script, command: "echo 3" }
  - { id: many, type: script, if: "args.n > 2 && steps.count.exitCode == 0", command: "true", else: { type: script, command: "echo few" } }
  - { id: named, type: script, if: "{{ args.name }}", command: "true" }`,
      { input: { n: 1 } },
    );

    expect(stepsOf(row)).toEqual(["1 count completed", "2 many skipped", "3 many-else completed", "4 named skipped"]);
  });

  test("does a step for each item, so many at once, and gives their outputs in order", async () => {
    const row = await ended(
      `
name: each
steps:
  - { id: size, type: script, for_each: "{{ args.files }}", concurrency: 2, command: 'printf "%s %s" {{ index }} {{ item.name }}' }
  - { id: last, type: script, command: 'printf %s {{ steps.size[2].stdout }}' }`,
      { input: { files: [{ name: "a" }, { name: "b b" }, { name: "c" }] } },
    );

    expect(row.steps.map(({ step_id, iteration }) => `${step_id}#${iteration}`)).toEqual([
      "size#1",
      "size#2",
      "size#3",
      "last#1",
    ]);
    expect(row.steps[3]?.output).toMatchObject({ stdout: "2 c" });
  });

  test("fails a step whose reference finds nothing, by name, and tries it once", async () => {
    const row = await ended(`
name: missing
steps:
  - { id: use, type: script, retry: { maxAttempts: 3 }, command: "echo {{ args.nothing }}" }`);

    expect(row).toMatchObject({
      status: "failed",
      error: { type: "missing_value", message: expect.stringContaining("nothing") },
    });
    expect(row.steps[0]).toMatchObject({ status: "failed", attempt: 1 });
  });

  test("tries a step again as its policy says", async () => {
    const row = await ended(`
name: again
steps:
  - { id: third, type: script, retry: { maxAttempts: 3, backoff: fixed, initialDelayMs: 100 }, command: '[ "$LONGHAUL_ATTEMPT" = 3 ]' }`);

    expect(row.steps[0]).toMatchObject({ status: "completed", attempt: 3, max_attempts: 3 });
  });
});

describe("an approval", () => {
  const asks = (answer: string) => `
name: asks
steps:
  - { id: ask, type: approval, message: "Ship {{ args.what }}?", deadline: 200ms, default: ${answer} }
  - { id: ship, type: script, command: "printf %s {{ steps.ask.approved }}" }`;

  test("lets the run go on when it is given", async () => {
    const row = await ended(asks("approve"), { input: { what: "it" } });

    expect(row.steps[0]).toMatchObject({
      kind: "approval",
      input: { message: "Ship it?" },
      output: { approved: true, by: null },
    });
    expect(row.steps[1]?.output).toMatchObject({ stdout: "true" });
  });

  test("fails its step when it is refused", async () => {
    const row = await ended(asks("reject"), { input: { what: "it" } });

    expect(row).toMatchObject({ status: "failed", error: { type: "approval_rejected", step_id: "ask" } });
    expect(stepsOf(row)).toEqual(["1 ask failed"]);
  });
});

describe("a run within a run", () => {
  test("is a step that gives the other run's output", async () => {
    await stack.start(
      `
name: inner
steps:
  - { id: say, type: script, command: "printf %s {{ args.word }}" }`,
      { ending: ".yaml", input: { word: "first" } },
    );
    const row = await ended(
      `
name: outer
steps:
  - { id: inside, type: workflow, workflow: inner, input: { word: "{{ args.word }}" } }
  - { id: after, type: script, command: "printf %s {{ steps.inside.outputs.say.stdout }}" }`,
      { input: { word: "inner's" } },
    );

    expect(stepsOf(row)).toEqual(["1 inside completed", "2 after completed"]);
    expect(row.steps[1]?.output).toMatchObject({ stdout: "inner's" });
  });
});

describe("stages in a loop", () => {
  const loop = (text: string) => `
name: Build
stages: [plan, code, check]
loop: { max_iters: 3, fallback_next_stage: code, stop_when: "$.done == true" }
plan: { provider: claude-code, role: planner, prompt: "[[say The plan for \${vars.what}.]]" }
code: { provider: claude-code, role: coder, prompt: "[[say Code by \${plan.result}]]" }
check: { provider: claude-code, role: tester, prompt: '${text}' }`;

  test("ends when a stage's answer says so", async () => {
    const row = await ended(loop('[[say {"done": true}]]'), { ending: ".workflow.yml", input: { what: "it" } });

    expect(row).toMatchObject({ status: "completed", output: { end_reason: "stop_when", iterations: 1 } });
    expect(stepsOf(row)).toEqual(["1 plan completed", "2 code completed", "3 check completed"]);
    expect(row.steps[1]?.output).toMatchObject({ text: "Code by The plan for it." });
  });

  test("goes on where it is to go on, for so many passes", async () => {
    const row = await ended(loop('[[say {"done": false}]]'), { ending: ".workflow.yml", input: { what: "it" } });

    expect(row).toMatchObject({ status: "completed", output: { end_reason: "max_iters_reached", iterations: 3 } });
    expect(row.steps.map(({ step_id, iteration }) => `${step_id}#${iteration}`)).toEqual([
      "plan#1",
      "code#1",
      "check#1",
      "code#2",
      "check#2",
      "code#3",
      "check#3",
    ]);
  });
});

describe("calls of tools", () => {
  test("hand results on by what they assign, with their types, and are left out by conditions", async () => {
    const row = await ended(
      JSON.stringify({
        name: "calls",
        steps: [
          { name: "made", tool: "files.create_directory", params: { path: "${input.path}" }, assign: "folder" },
          {
            name: "said",
            tool: "everything.echo",
            params: { message: "${folder.content} ${input.list[1]}" },
            if: "${folder.content != '' && input.n > 1}",
          },
          { name: "never", tool: "everything.echo", params: { message: "no" }, if: "${nothing}" },
        ],
      }),
      { ending: ".json", input: { path: join(stack.project, "made"), list: [0, { deep: true }], n: 2 } },
    );

    expect(stepsOf(row)).toEqual(["1 made completed", "2 said completed", "3 never skipped"]);
    expect(row.steps[1]).toMatchObject({
      kind: "tool",
      output: { text: expect.stringMatching(/^Echo: .*made.* \{"deep":true\}$/) },
    });
  });
});

describe("a long run of a plan", () => {
  test("goes on in further executions, and nobody sees a seam", async () => {
    const items = Array.from({ length: 60 }, (_, i) => i);
    const run = await stack.start(
      `
name: long
steps:
  - { id: before, type: script, command: "printf early" }
  - { id: each, type: script, for_each: "{{ args.items }}", command: 'printf %s {{ item }}' }
  - { id: after, type: script, command: 'printf "%s %s %s" {{ steps.before.stdout }} {{ steps.each[0].stdout }} {{ steps.each[59].stdout }}' }`,
      { ending: ".yaml", input: { items }, in_place: true, continue_after: 100 },
    );
    const row = await run.finished(100_000);

    expect(row).toMatchObject({ status: "completed", error: null });
    // Temporal closes the last one after the row, and lists it later still.
    await vi.waitFor(
      async () => expect(new Set(await executionsOf(run.id))).toEqual(new Set(["COMPLETED", "CONTINUED_AS_NEW"])),
      {
        timeout: 10_000,
        interval: 100,
      },
    );
    expect((await executionsOf(run.id)).length).toBeGreaterThan(2);
    expect(row.steps.map(({ step_number }) => step_number)).toEqual(Array.from({ length: 62 }, (_, i) => i + 1));
    expect(row.steps.filter(({ step_id }) => step_id === "each").map(({ iteration }) => iteration)).toEqual(
      items.map((i) => i + 1),
    );
    expect(row.steps.at(-1)?.output).toMatchObject({ stdout: "early 0 59" });
  });
});

test("a run's output has no more of its steps' than there is room for, and names the rest", async () => {
  const row = await ended(`
name: large
steps:
  - { id: list, type: script, for_each: [1, 2, 3, 4, 5], command: "head -c 15000 /dev/zero | tr '\\\\0' x" }
  - { id: small, type: script, command: "echo {{ steps.list[4].exitCode }}" }`);

  expect(row.output).toMatchObject({ end_reason: "completed", outputs: { small: { stdout: "0\n" } }, omitted: ["list"] });
});

describe("a DAG", () => {
  const dag = (steps: object[], config: object = {}) => JSON.stringify({ name: "dag", version: "1.0.0", config, steps });
  const shell = (key: string, command: string, more: object = {}) => ({ key, type: "shell", command, ...more });

  test("does the steps of a level at once, and the next level when all of it is over", async () => {
    const row = await ended(
      dag([
        shell("a", "sleep 0.5"),
        shell("b", "true"),
        shell("c", "true", { dependencies: ["b"] }),
        shell("d", "true", { dependencies: ["a", "c"] }),
      ]),
      { ending: ".json" },
    );
    const [a, b, c, d] = ["a", "b", "c", "d"].map((key) => row.steps.find(({ step_id }) => step_id === key));

    expect(row.status).toBe("completed");
    expect(Date.parse(b?.started_at ?? "")).toBeLessThan(Date.parse(a?.completed_at ?? ""));
    expect(Date.parse(c?.started_at ?? "")).toBeGreaterThanOrEqual(Date.parse(a?.completed_at ?? ""));
    expect(Date.parse(d?.started_at ?? "")).toBeGreaterThanOrEqual(Date.parse(c?.completed_at ?? ""));
  });

  test("bears the failure of an optional step, whose result is absent", async () => {
    const row = await ended(
      dag([shell("weak", "exit 1", { optional: true }), shell("next", "echo {{weak.result}}", { dependencies: ["weak"] })]),
      { ending: ".json" },
    );

    expect(stepsOf(row)).toEqual(["1 weak failed", "2 next failed"]);
    expect(row.error).toMatchObject({ type: "missing_value", step_id: "next" });
  });

  test("fails with a required step when its level is over", async () => {
    const row = await ended(
      dag([shell("bad", "exit 1"), shell("good", "sleep 0.3"), shell("never", "true", { dependencies: ["good"] })]),
      { ending: ".json" },
    );

    expect(row.status).toBe("failed");
    expect(stepsOf(row)).toEqual(["1 bad failed", "2 good completed"]);
  });
});

async function ended(source: string, options: StartOptions = {}): Promise<RunRow> {
  const run = await stack.start(source, { ending: ".yaml", ...options });
  return run.finished(90_000);
}

function stepsOf({ steps }: RunRow): string[] {
  return steps.map(({ step_number, step_id, status }) => `${step_number} ${step_id} ${status}`);
}

/** Of each of Temporal's executions of the run, its status as Temporal lists it. */
async function executionsOf(runId: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { status } of stack.client.workflow.list({ query: `WorkflowId = "${runId}"` })) found.push(status.name);
  return found;
}
