import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { testFolder } from "../test/support/stack.js";
import { createLoader } from "./load.js";

const root = testFolder();
const loader = createLoader({ timeLimitMs: 2_000 });
const ECHO = { id: "echo", type: "script", command: "echo" };

test("no program sees what another one has left, however soon it comes", async () => {
  const text = (n: number) => `globalThis.met = [...(globalThis.met ?? []), ${n}];\n${definition("String(globalThis.met)")}`;
  for (const n of [1, 2, 3]) {
    expect(await loaded(`met-${n}`, text(n))).toMatchObject({ ok: true, workflow: { description: String(n) } });
    await sleep(n === 1 ? 0 : 800);
  }
});

test("a file that ends its process, or never ends, disturbs no other", async () => {
  const error = (message: RegExp) => ({ ok: false, error: { message: expect.stringMatching(message) } });

  expect(await loaded("exits", "process.exit(3);")).toMatchObject(error(/exit code 3/));
  expect(await loaded("loops", "for (;;);")).toMatchObject(error(/not evaluated within 2 s/));
  expect(await loaded("fine", definition('"fine"'))).toMatchObject({ ok: true, workflow: { description: "fine" } });
});

test("a text is compiled to what its file would be", async () => {
  const text = "name: greet\nsteps:\n  - { id: greet, type: script, command: echo }\n";
  writeFileSync(join(root, "greet.yaml"), text);
  const ofFile = await loader.load(join(root, "greet.yaml"), root);

  expect(await loader.compileText(text, "greet.yaml")).toEqual({ ok: true, workflow: ofFile.ok && ofFile.workflow });
  expect(await loader.compileText(text.replace("id", "ident"), "greet.yaml")).toMatchObject({
    ok: false,
    problems: expect.arrayContaining([expect.objectContaining({ path: "steps[0].ident", line: 3 })]),
  });
});

test("a definition that takes too long is ended alone, and those beside it are read", async () => {
  const schema = { type: "object", properties: { text: { type: "string", pattern: "^(a+)+$" } } };
  const plan = await loader.compileText(JSON.stringify({ name: "slow", input: schema, steps: [ECHO] }), "slow.json");
  if (!plan.ok) throw new Error(JSON.stringify(plan.problems));

  const [slow, ...fine] = await Promise.all([
    loader.checkInput(plan.workflow.program, { text: `${"a".repeat(60)}b` }),
    loader.checkInput(plan.workflow.program, { text: "aa" }),
    loader.compileText(JSON.stringify({ name: "fine", steps: [ECHO] }), "fine.json"),
  ]);

  expect(slow).toMatchObject({ ok: false, problems: [{ message: expect.stringMatching(/not evaluated within 2 s/) }] });
  expect(fine).toMatchObject([{ ok: true, input: { text: "aa" } }, { ok: true }]);
});

test("inputs are checked by the program that they are for", async () => {
  const result = await loaded(
    "input",
    `import { z } from "zod";\n${definition('""', "input: z.object({ n: z.int().default(7) })")}`,
  );
  if (!result.ok) throw new Error(result.error.message);

  expect(await loader.checkInput(result.workflow.program, {})).toEqual({ ok: true, input: { n: 7 } });
  expect(await loader.checkInput(result.workflow.program, { n: "x" })).toMatchObject({
    ok: false,
    problems: [{ path: "input.n" }],
  });
});

function definition(description: string, more = ""): string {
  return `import { defineWorkflow } from "longhaul";
    export default defineWorkflow({ name: "w", description: ${description}, async execute() {}, ${more} });`;
}

async function loaded(name: string, text: string) {
  const file = join(root, `${name}.ts`);
  writeFileSync(file, text);
  return loader.load(file, root);
}
