import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { SIGNAL } from "../contract/messages.js";
import { packageRoot } from "../package-root.js";
import { type Longhaul, longhaul, type RunRow, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";

let stack: Longhaul;
beforeAll(async () => {
  await scriptedModel();
  stack = await longhaul();
});

describe("an agent that the run chooses", () => {
  const choosing = `
name: chooses
steps:
  - { id: choose, type: agent, prompt: "[[say {{ args.answer }}]]" }
  - { id: work, type: agent, agent: "{{ choose.text }}", role: "{{ args.role }}", model: "{{ args.model }}", prompt: "[[say done]]" }`;
  const chosen = { answer: "claude-code", role: "security", model: "haiku" };

  test("does the work, in the role and with the model that were chosen", async () => {
    const { steps } = await ended(choosing, { input: chosen });

    expect(steps[1]).toMatchObject({
      status: "completed",
      input: { provider: "claude", model: "haiku", role: "security" },
      output: { text: "done", usage: { model: expect.stringContaining("haiku") } },
    });
  });

  test.each([
    [
      "clyde",
      {},
      'No agent is called "clyde". Did you mean "claude"? Known are claude, codex, gemini, grok, claude-code and acp:<command>.',
    ],
    ["claude", { model: ["haiku"] }, 'An agent, its role, profile and model are chosen by a text, not ["haiku"].'],
  ])("that is %j, with %j, fails the step, which has not begun, with what there is", async (answer, input, message) => {
    const row = await ended(choosing, { input: { ...chosen, answer, ...input } });

    expect(row).toMatchObject({ status: "failed", error: { type: "unfit_value", step_id: "work", message } });
    expect(row.steps[1]).toMatchObject({ status: "failed", sessions: [], error: { message } });
  });

  test("may be another for each item", async () => {
    const row = await ended(
      `
name: panel
steps:
  - id: review
    type: agent
    for_each: "{{ args.panel }}"
    agent: "{{ item.agent }}"
    role: "{{ item.role }}"
    prompt: "[[say looked]]"
    on_failure: continue`,
      { input: { panel: [{ agent: "claude", role: "security" }, { agent: "gemeni", role: "style" }] } }, // biome-ignore format: one line is clearer
    );

    expect(row.steps.map(({ status, error }) => error?.type ?? status)).toEqual(["completed", "unfit_value"]);
  });
});

describe("what an agent's step declares", () => {
  test("is checked, with the run's values in it, and can be named by later steps", async () => {
    const row = await ended(
      `
name: declares
steps:
  - id: write
    type: agent
    permission: acceptEdits
    prompt: "[[write docs/{{ args.name }}.md x]]"
    verify:
      - tree_changed: true
      - file_exists: "docs/{{ args.name }}.md"
      - { command: "test -f docs/{{ args.name }}.md && test ! -e sprung", timeout: 1m }
  - { id: say, type: script, command: "echo {{ write.verified[2].ok }}" }`,
      { input: { name: "it's$(touch${IFS}sprung)" } },
    );

    expect(row.error).toBeNull();
    expect(row.steps[0]?.output).toMatchObject({ verified: [{ ok: true }, { ok: true }, { ok: true }] });
    expect(row.steps[1]?.output).toMatchObject({ stdout: "true\n" });
  });

  test("fails a TypeScript workflow's step when it is not so, each of its tries", async () => {
    const run = await stack.start(`
import { defineWorkflow } from "longhaul";
export default defineWorkflow({
  name: "claims",
  async execute(ctx) {
    const claim = { prompt: "[[say Done.]]", verify: [{ treeChanged: true as const }, { command: "exit 2", timeout: 60_000 }] };
    const failed = await ctx.agent("claims", { ...claim, retry: { maxAttempts: 2, initialDelayMs: 10 } }).catch((error) => error);
    const step = await ctx.step("looks", { type: "agent", prompt: "[[say Done.]]", verify: [{ fileExists: "README.md" }] });
    const wrong = await ctx.agent("wrong", { ...claim, verify: [{ treeChanged: "yes" as never }] }).catch((error) => error);
    return [failed.type, failed.output.verified, step.data, wrong.type, wrong.message];
  },
});`);
    const row = await run.finished(90_000);

    expect(row.error).toBeNull();
    expect(row.steps[0]).toMatchObject({ status: "failed", attempt: 2, error: { type: "agent_unverified" } });
    expect(row.output).toMatchObject([
      "agent_unverified",
      [
        { check: "tree_changed", ok: false },
        { check: "command: exit 2", ok: false, seen: "exit code 2" },
      ],
      { text: "Done.", verified: [{ check: "file_exists: README.md", ok: true }] },
      "invalid_input",
      expect.stringContaining('"verify" of "wrong"'),
    ]);
  });
});

describe("a function of the author's", () => {
  const release = `
name: release
activities: ./lib/release.ts
steps:
  - { id: notes, type: activity, activity: notes, params: { tag: "{{ args.tag }}", lines: [1, two] } }
  - { id: flaky, type: activity, activity: flaky, params: { from: "{{ notes.tag }}" }, retry: { maxAttempts: 3, delay: 10 } }
  - { id: bad, type: activity, activity: bad, on_failure: continue }
  - { id: last, type: script, command: "printf '%s %s' {{ notes.lines[1] }} {{ flaky }}" }`;
  const functions = `
import { readFileSync } from "node:fs";
import { basename } from "node:path";
export class NotToday extends Error {}
export async function notes({ tag, lines }: { tag: string; lines: unknown[] }) {
  console.log("notes of", tag);
  return { tag, lines, cwd: basename(process.cwd()) };
}
export const flaky = ({ from }: { from: string }) => {
  if (process.env.LONGHAUL_ATTEMPT !== "3") throw new NotToday("not yet");
  return "after " + from;
};
export function bad(params: object) {
  throw new NotToday("never with " + JSON.stringify(params));
}`;

  test("is given its params, and gives its step's output; what it throws fails the step, by its name", async () => {
    saveFunctions(functions);
    const row = await ended(release, { input: { tag: "v2" } });

    expect(row.error).toBeNull();
    const [notes, flaky, bad, last] = row.steps;
    expect(notes).toMatchObject({
      kind: "activity",
      input: [{ tag: "v2", lines: [1, "two"] }],
      output: { tag: "v2", lines: [1, "two"] },
    });
    expect(flaky).toMatchObject({ status: "completed", attempt: 3, output: "after v2" });
    expect(bad).toMatchObject({ status: "failed", error: { type: "NotToday", message: "never with {}" } });
    expect(last?.output).toMatchObject({ stdout: "two after v2" });
  });

  test("that is edited is a new revision, and a run keeps to the function that it was started with", async () => {
    const source = `
name: edited
activities: ./lib/release.ts
steps:
  - { id: wait, type: wait, event: go }
  - { id: say, type: activity, activity: say }`;
    saveFunctions('export const say = () => "first";');
    const first = await stack.start(source, { ending: ".yaml" });
    await first.until(({ status }) => status === "waiting");
    saveFunctions('export const say = () => "second";');
    const second = await stack.start(source, { ending: ".yaml" });

    const rows = await Promise.all(
      [first, second].map(async (run) => {
        const message = { id: `evt_${run.id}`, at: new Date().toISOString(), by: null, name: "go", payload: null };
        await stack.client.workflow.getHandle(run.id).signal(SIGNAL.event, message);
        return run.finished();
      }),
    );
    expect(rows.map(({ workflow_revision, steps }) => [workflow_revision, steps[1]?.output])).toEqual([
      [1, "first"],
      [2, "second"],
    ]);
  });
});

test("tools whose names have hyphens are called", async () => {
  const program = join(packageRoot, "node_modules/@modelcontextprotocol/server-everything/dist/index.js");
  const mcpServers = { "every-thing": { command: process.execPath, args: [program, "stdio"] } };
  mkdirSync(join(stack.project, ".agent"), { recursive: true });
  writeFileSync(join(stack.project, ".agent/mcp.json"), JSON.stringify({ mcpServers }));
  const steps = [{ name: "sum", tool: "every-thing.get-sum", params: { a: 2, b: "${input.b}" } }];

  const row = await ended(JSON.stringify({ name: "hyphens", steps }), { ending: ".json", input: { b: 40 } });

  expect(row).toMatchObject({ status: "completed", steps: [{ output: { text: expect.stringContaining("42") } }] });
});

/** Beside the definitions that a run is started from. */
function saveFunctions(text: string): void {
  const folder = join(stack.project, ".agent/workflows/definitions/lib");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "release.ts"), text);
}

async function ended(source: string, options: StartOptions = {}): Promise<RunRow> {
  const run = await stack.start(source, { ending: ".yaml", ...options });
  return run.finished(90_000);
}
