// What a fork would take over is said before it begins, and is what it then takes over.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { ForkDryRun, TakenStep } from "../contract/fork-dry-run.js";
import type { Json, JsonObject } from "../contract/json.js";
import { type Longhaul, longhaul, type RunRow, type StartOptions } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";
import { testFolder } from "./support/stack.js";

let stack: Longhaul;
let ask: Ask;
let effects: string;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
  effects = join(testFolder(), "effects");
  writeFileSync(effects, "");
});

/** What is said, each list as `key iteration` in one text. */
type Said = Record<"reused" | "changed" | "missing" | "unknown", string>;

const NONE: Said = { reused: "", changed: "", missing: "", unknown: "" };

describe("a fork's dry run", () => {
  test("of code says what the other version takes over, up to where it has to do something that it cannot know", async () => {
    const body = `
      const do_ = (name, word = name) => ctx.shell("echo " + word + " >> EFFECTS", { name });
      const { n } = await ctx.run("plan", () => ({ n: 2 }));
      await ctx.parallel(["left", "right"].map((name) => () => do_(name)));
      for (let i = 0; i < n; i++) await do_("loop", i);
      const { approved } = await ctx.approve("sure", { message: "Sure?", default: "approve", deadline: 1 });
      await do_("check");
      if (ctx.input.who === "eve") await do_("eve");
      await do_("last");`;
    const was = code("coded", body);
    const run = await ended(was, { input: { who: "ada" } });
    const revision = await reviser(run);
    const at = (more: object = {}) => dryRun(run, { step_number: 9, ...more });
    const all = "plan 1, left 1, right 1, loop 1, loop 2, sure 1, check 1, last 1";
    const before = linesOf();

    expect(await at()).toEqual({ ...NONE, reused: all });
    expect(await at({ outputs: { plan: { n: 1 } } })).toEqual({
      ...NONE,
      reused: all.replace("loop 2, ", ""),
      missing: "loop 2",
    });
    expect(await at({ input: { who: "eve" } })).toEqual({ ...NONE, reused: all.replace(", last 1", ""), unknown: "last 1" });
    const edited = was.replace('await do_("check");', "").replace('do_("last")', 'do_("last", "other")');
    expect(await at({ revision: await revision(edited) })).toEqual({
      ...NONE,
      reused: all.replace(", check 1, last 1", ""),
      changed: "last 1",
      missing: "check 1",
    });
    expect(await at({ revision: await revision(was.replace('do_("check")', 'do_("checked")')) })).toEqual({
      ...NONE,
      reused: all.replace(", check 1, last 1", ""),
      unknown: "check 1, last 1",
    });
    expect(linesOf()).toEqual(before);
    expect((await ask("GET", `/api/runs?parent_run_id=${run.id}`)).body.page.total).toBe(0);
  });

  test("of a plan compares what is planned where it cannot be carried out", async () => {
    const was = `name: planned
steps:
  - { id: first, type: script, command: "echo first >> EFFECTS" }
  - { id: each, type: script, for_each: "{{ args.items }}", command: "echo {{ item }} >> EFFECTS" }
  - { id: tests, type: script, command: "echo tests >> EFFECTS", timeout: 1 minute }
  - { id: large, type: script, if: "steps.first.exitCode == 0", command: "echo large >> EFFECTS" }
  - { id: last, type: script, command: "echo last >> EFFECTS" }
`;
    const run = await ended(was, { ending: ".yaml", input: { items: ["a", "b"] } });
    const revision = await reviser(run);
    const at = (more: object = {}) => dryRun(run, { step_number: 7, ...more });
    const edited = async (from: string, to: string, more: object = {}) =>
      at({ revision: await revision(was.replace(from, to)), ...more });

    expect(await dryRun(run, { step_number: 4 })).toEqual({ ...NONE, reused: "first 1, each 1, each 2" });
    expect(await at({ input: { items: ["a"] } })).toEqual({
      ...NONE,
      reused: "first 1, each 1, tests 1, large 1, last 1",
      missing: "each 2",
    });
    expect(await edited("1 minute", "2 minutes", { input: { items: ["a", "c"] } })).toEqual({
      ...NONE,
      reused: "first 1, each 1, large 1, last 1",
      changed: "each 2, tests 1",
    });
    expect(await edited("  - { id: tests", "  - { id: new, type: script, command: 'true' }\n  - { id: tests")).toEqual({
      ...NONE,
      reused: "first 1, each 1, each 2, tests 1, last 1",
      unknown: "large 1",
    });
    expect(await edited("id: tests", "id: checks")).toEqual({
      reused: "first 1, each 1, each 2, last 1",
      changed: "",
      missing: "tests 1",
      unknown: "large 1",
    });
  });

  test("of a run that was restored, and has gone on in further executions, knows all of its steps", async () => {
    const steps = [1, 2, 3, 4, 5].map((n) => ({ id: `s${n}`, type: "script", command: `echo ${n} >> EFFECTS` }));
    const run = await stack.start(given(JSON.stringify({ name: "long", steps })), { ending: ".json", continue_after: 12 });
    await run.finished();
    await ask("POST", `/api/runs/${run.id}/restore`, { checkpoint_id: `${run.id}-k3` });
    const row = await run.finished();
    const last = row.steps.at(-1)?.step_number ?? 0;

    const said = await dryRun(row, { step_number: last });

    expect(said).toEqual({ ...NONE, reused: "s1 1, s2 1, s3 1, s4 1" });
    const forked: RunRow = (await ask("POST", `/api/runs/${run.id}/fork`, { step_number: last })).body.data;
    const before = linesOf().length;
    await expect.poll(async () => (await read(forked.id)).status).toBe("completed");
    expect(linesOf().slice(before)).toEqual(["5"]);
  });

  test("of code that looks at its tree knows nothing of what follows: a fork has another tree", async () => {
    const run = await ended(
      code("looking", `await ctx.run("one", () => 1); await ctx.files.exists("here"); await ctx.run("two", () => 2);`),
      { input: { who: "ada" } },
    );

    expect(await dryRun(run, { step_number: 3 })).toEqual({ ...NONE, reused: "one 1", unknown: "two 1" });
  });

  test("is refused as the fork would be", async () => {
    const run = await ended(code("small", `await ctx.run("one", () => 1);`), { input: { who: "ada" } });
    const refused = (body: JsonObject) => ask("POST", `/api/runs/${run.id}/fork`, { dry_run: true, ...body });
    const at = (path: string) => ({ status: 400, body: { errors: [{ path: expect.stringContaining(path) }] } });

    expect(await refused({ step_number: 9 })).toMatchObject(at("step_number"));
    expect(await refused({ step_number: 2, revision: 7 })).toMatchObject({ status: 404 });
    expect(await refused({ step_number: 2, revision: 2 ** 40 })).toMatchObject(at("revision"));
    expect(await refused({ step_number: 2, input: { who: 1 } })).toMatchObject(at("who"));
  });
});

async function ended(source: string, options: StartOptions): Promise<RunRow> {
  const row = await (await stack.start(given(source), options)).finished();
  expect(row.status).toBe("completed");
  return row;
}

/** Saves another text of the run's workflow, and gives the number of its revision. */
async function reviser({ workflow_id }: RunRow): Promise<(source: string) => Promise<number>> {
  return async (source) => {
    const reply = await ask("PUT", `/api/workflows/${workflow_id}`, { definition: given(source) });
    expect(reply.status).toBe(200);
    const { revision }: { revision: number } = reply.body.data;
    return revision;
  };
}

async function dryRun({ id }: RunRow, body: JsonObject): Promise<Said> {
  const reply = await ask("POST", `/api/runs/${id}/fork`, { ...body, dry_run: true } satisfies Json);
  expect(reply.body).toMatchObject({ data: { run_id: id } });
  const said: ForkDryRun = reply.body.data;
  const text = (steps: TakenStep[]) => steps.map(({ step_id, iteration }) => `${step_id} ${iteration}`).join(", ");
  return { reused: text(said.reused), changed: text(said.changed), missing: text(said.missing), unknown: text(said.unknown) };
}

async function read(id: string): Promise<RunRow> {
  return (await ask("GET", `/api/runs/${id}`)).body.data;
}

/** With the file in it that steps write to outside of their tree. */
function given(source: string): string {
  return source.replaceAll("EFFECTS", effects);
}

function linesOf(): string[] {
  return readFileSync(effects, "utf8").trim().split("\n");
}

function code(name: string, body: string): string {
  return `import { defineWorkflow } from "longhaul";
import { z } from "zod";
const input = z.object({ who: z.string() });
export default defineWorkflow({ name: "${name}", input, async execute(ctx): Promise<any> { ${body} } });
`;
}
