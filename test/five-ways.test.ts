import { beforeAll, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../contract/json.js";
import { type Longhaul, longhaul, type RunRow, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";
import { type Ask, served } from "./support/served.js";

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  await scriptedModel();
  stack = await longhaul();
  ask = await served(stack);
});

/** Commands that need no references. */
const SECOND_TRY = '[ "$LONGHAUL_ATTEMPT" = 2 ]';
const RETRY = { maxAttempts: 2, backoff: "fixed", initialDelayMs: 100 };
const PROMPT = "[[write NOTES.md noted]] [[say The work is $.]]";

/**
 * An agent; a command with what it said; one that succeeds at its second try; one whose condition is not met; one whose failure is
 * borne; and one that sees what was said before.
 */
const DELIVERY: Record<string, Definition> = {
  typescript: code(
    "delivery",
    `
    const retry = { maxAttempts: 2, backoff: "fixed", initialDelayMs: 100 } as const;
    const { text } = await ctx.agent("look", claude, \`[[write NOTES.md noted]] [[say The work is \${ctx.input.what}.]]\`, { permission: "acceptEdits" });
    const said = await ctx.shell('printf %s "$TEXT"', { name: "say", env: { TEXT: text } });
    await ctx.shell('${SECOND_TRY}', { name: "again", retry });
    await ctx.shell("true", { name: "deeper", if: ctx.input.deep });
    await ctx.step("breaks", { type: "script", command: "echo broken; exit 3", onFailure: "continue" });
    await ctx.shell('printf "%s, %s" "$SAID" "$(cat NOTES.md)"', { name: "last", env: { SAID: said.stdout } });`,
  ),
  phases: yaml("phases", "delivery", "{{ args.what }}", (marked) => ({
    phases: ["work"],
    steps: delivery(marked, "{{ args.deep }}").map(({ key, ...step }) => ({ id: key, ...step })),
  })),
  stages: yaml("stages", "delivery", "${vars.what}", (marked) => ({
    stages: delivery(marked, "vars.deep == true").map(({ key }) => key),
    stageConfigs: blocks(delivery(marked, "vars.deep == true")),
  })),
  dag: yaml("dag", "delivery", "{{ input.what }}", (marked) => ({
    version: "1.0.0",
    steps: chained(delivery(marked, "input.deep == true")),
  })),
  tools: yaml("tools", "delivery", "${input.what}", (marked) => ({
    steps: delivery(marked, "${input.deep}").map(({ key, ...step }) => ({ name: key, ...step })),
  })),
};

/** One that succeeds and one that fails with the run; then what is done on failure, and what in any case. */
const FAILURE: Record<string, Definition> = {
  typescript: code(
    "failure",
    `
    try {
      await ctx.shell("true", { name: "first" });
      await ctx.shell("echo no such thing >&2; exit 4", { name: "breaks" });
      await ctx.shell("true", { name: "never" });
    } catch (error) {
      await ctx.shell("true", { name: "tell" });
      throw error;
    } finally {
      await ctx.shell("true", { name: "tidy" });
    }`,
  ),
  phases: yaml("phases", "failure", "", () => ({
    phases: ["work"],
    steps: failing().map(({ key, ...step }) => ({ id: key, ...step })),
    ...ends("id"),
  })),
  stages: yaml("stages", "failure", "", () => ({
    stages: failing().map(({ key }) => key),
    stageConfigs: blocks(failing()),
    ...ends("key"),
  })),
  dag: yaml("dag", "failure", "", () => ({ version: "1.0.0", steps: chained(failing()), ...ends("key") })),
  tools: yaml("tools", "failure", "", () => ({
    steps: failing().map(({ key, ...step }) => ({ name: key, ...step })),
    ...ends("name"),
  })),
};

/** The first step of a delivery alone, by Codex. */
const BY_CODEX: Record<string, Definition> = {
  typescript: code(
    "by_codex",
    `
    await ctx.runCli("look", codex, \`[[write NOTES.md noted]] [[say The work is \${ctx.input.what}.]]\`, { permission: "acceptEdits" });`,
  ),
  phases: yaml("phases", "by_codex", "{{ args.what }}", (marked) => ({
    phases: ["work"],
    steps: byCodex(marked).map(({ key, ...step }) => ({ id: key, ...step })),
  })),
  stages: yaml("stages", "by_codex", "${vars.what}", (marked) => ({ stages: ["look"], stageConfigs: blocks(byCodex(marked)) })),
  dag: yaml("dag", "by_codex", "{{ input.what }}", (marked) => ({ version: "1.0.0", steps: byCodex(marked) })),
  tools: yaml("tools", "by_codex", "${input.what}", (marked) => ({
    steps: byCodex(marked).map(({ key, ...step }) => ({ name: key, ...step })),
  })),
};

const flows: [flow: string, ways: Record<string, Definition>, status: string][] = [
  ["a delivery that comes to its end", DELIVERY, "completed"],
  ["a delivery that fails", FAILURE, "failed"],
];
if (process.env.LONGHAUL_CODEX_BIN) flows.push(["an agent's work, by Codex", BY_CODEX, "completed"]);

describe.each(flows)("%s, written in five ways", (_, ways, status) => {
  const found = new Map<string, Story>();
  beforeAll(async () => {
    const doing: Promise<unknown>[] = [];
    for (const [way, { source, ending }] of Object.entries(ways)) {
      const run = await stack.start(source, { ending, input: { what: "half done", deep: false } });
      doing.push(run.finished(150_000).then(async (row) => found.set(way, await storyOf(row))));
    }
    await Promise.all(doing);
  }, 180_000);

  test.each(Object.keys(ways).slice(1))("tells the same in %s as in TypeScript, but for names", (way) => {
    expect(found.get(way)).toEqual(found.get("typescript"));
  });

  test("tells all that there is to tell, in TypeScript", () => {
    expect(found.get("typescript")?.status).toBe(status);
    expect(found.get("typescript")?.steps.map(({ step_id, status }) => `${step_id} ${status}`)).toEqual(
      new Map([
        [DELIVERY, ["look completed", "say completed", "again completed", "deeper skipped", "breaks failed", "last completed"]],
        [FAILURE, ["first completed", "breaks failed", "tell completed", "tidy completed"]],
        [BY_CODEX, ["look completed"]],
      ]).get(ways),
    );
    const types = new Set(found.get("typescript")?.events.map(({ type }) => type));
    const always = ["workflow.execution.status_changed", "workflow.step.started", "workflow.step.completed"];
    for (const type of always) expect(types).toContain(type);
    if (ways !== FAILURE) expect(types).toContain("workflow.agent.updated");
    if (ways === DELIVERY) expect(types).toContain("workflow.step.retrying");
  });
});

test("what was said before is there for a later step, in all ways", async () => {
  const { source, ending } = DELIVERY.phases as Definition;
  const row = await (await stack.start(source, { ending, input: { what: "it's $(done)", deep: true } })).finished(120_000);

  expect(row.steps.at(-1)?.output).toMatchObject({ stdout: "The work is it's $(done)., noted" });
  expect(row.steps[3]?.status).toBe("completed");
});

interface Definition {
  source: string;
  ending: NonNullable<StartOptions["ending"]>;
}

interface Story {
  events: { seq: number; type: string; data: Json }[];
  steps: JsonObject[];
  status: string;
  error: Json;
}

/** What a run has told and left, without what differs from run to run: its id, other ids, times and costs. */
async function storyOf({ id, steps, status, error }: RunRow): Promise<Story> {
  const { body } = await ask("GET", `/api/runs/${id}/events?limit=100`);
  const events: Story["events"] = (body.data as Story["events"]).toReversed();
  expect(body.page.total).toBe(events.length);
  return {
    status,
    error: nameless(error, id),
    events: events.map(({ seq, type, data }) => ({ seq, type, data: nameless({ data }, id) })),
    steps: steps.map(({ step_number, step_id, name, phase, kind, status, iteration, attempt, max_attempts, output, error }) => {
      const row = { step_number, step_id, name, phase, kind, status, iteration, attempt, max_attempts, output, error };
      return nameless(row, id) as JsonObject; // an object stays one
    }),
  };
}

function nameless(value: object | null, runId: string): Json {
  const text = JSON.stringify(value, (key, item) => (key === "usage" ? null : item));
  const uuid = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;
  return JSON.parse(text.replaceAll(runId, "the run").replaceAll(uuid, "an id")) as Json;
}

type Step = { key: string } & JsonObject;

function delivery(what: string, deep: string): Step[] {
  const [open, close] = what.startsWith("$") ? ["${", "}"] : ["{{ ", " }}"];
  return [
    { key: "look", type: "agent", agent: "claude", prompt: PROMPT.replace("$", () => what), permission: "acceptEdits" },
    { key: "say", type: "script", command: `printf %s ${open}look.text${close}` },
    { key: "again", type: "script", command: SECOND_TRY, retry: RETRY },
    { key: "deeper", type: "script", command: "true", if: deep },
    { key: "breaks", type: "script", command: "echo broken; exit 3", on_failure: "continue" },
    { key: "last", type: "script", command: `printf "%s, %s" ${open}say.stdout${close} "$(cat NOTES.md)"` },
  ].map((step) => ({ ...step, phase: "work" }));
}

function byCodex(what: string): Step[] {
  return delivery(what, "").flatMap((step) => (step.key === "look" ? [{ ...step, agent: "codex" }] : []));
}

function failing(): Step[] {
  return [
    { key: "first", type: "script", command: "true" },
    { key: "breaks", type: "script", command: "echo no such thing >&2; exit 4" },
    { key: "never", type: "script", command: "true" },
  ].map((step) => ({ ...step, phase: "work" }));
}

function ends(keyWord: string): JsonObject {
  const step = (key: string): JsonObject => ({ [keyWord]: key, type: "script", phase: "work", command: "true" });
  return { on_failure: [step("tell")], finally: [step("tidy")] };
}

function blocks(steps: Step[]): JsonObject {
  return Object.fromEntries(steps.map(({ key, ...block }) => [key, block]));
}

/** Each depends on the one before it. */
function chained(steps: Step[]): JsonObject[] {
  return steps.map((step, i) => ({ ...step, ...(i > 0 ? { dependencies: [steps[i - 1]?.key ?? ""] } : {}) }));
}

/** @param marked the reference to the input `what`, as the dialect writes it */
function yaml(dialect: string, flow: string, marked: string, whole: (marked: string) => JsonObject): Definition {
  const source = JSON.stringify({ dialect, name: `${dialect}_${flow}`, ...whole(marked) }); // JSON is YAML
  return { source, ending: dialect === "stages" ? ".workflow.yml" : ".yaml" };
}

function code(flow: string, body: string): Definition {
  const source = `
import { claude, codex, defineWorkflow } from "longhaul";
import { z } from "zod";
export default defineWorkflow({
  name: "typescript_${flow}",
  phases: ["work"],
  input: z.object({ what: z.string(), deep: z.boolean() }),
  async execute(ctx) {${body}
  },
});
`;
  return { source, ending: ".ts" };
}
