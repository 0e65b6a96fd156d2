import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { testFolder } from "../test/support/stack.js";
import { compile } from "./compile.js";

const HEAD = `import { defineWorkflow } from "longhaul";\nimport { z } from "zod";\n`;
const DEFINITION = `export default defineWorkflow({ name: "w", input: z.object({ n: z.number() }), async execute() {} });\n`;

const folder = testFolder();
let root: string;
let count = 0;

beforeEach(() => {
  root = join(folder, String(++count));
  mkdirSync(root);
});

test("a file without activities has no code for them", async () => {
  expect((await compiled("")).activitiesCode).toBeNull();
});

test("activities leave out what the definition alone needs", async () => {
  const { activitiesCode } = await compiled("export const activities = { twice: (n: number) => n * 2 };");

  expect(activitiesCode).not.toContain("require");
  expect(activitiesOf(activitiesCode).twice?.(21)).toBe(42);
});

test("activities bring the packages they use, in a project that has none", async () => {
  const { activitiesCode } = await compiled(`
    import { basename } from "node:path";
    export const activities = { name: (path: unknown) => basename(z.string().parse(path)) };`);

  expect(activitiesOf(activitiesCode).name?.("/tmp/a.txt")).toBe("a.txt");
});

test("activities may come from a file beside", async () => {
  writeFileSync(join(root, "beside.ts"), "export const activities = { here: () => 1 };");
  const { activitiesCode } = await compiled('export * from "./beside.js";');

  expect(activitiesOf(activitiesCode).here?.()).toBe(1);
});

test("what is wrong with the body is told before what is wrong with the activities", async () => {
  const wrong =
    'import gone from "gone";\nimport { rm } from "node:fs";\nexport const activities = { gone };\nrm("x", () => {});';

  await expect(compiled(wrong)).rejects.toMatchObject({ problem: { message: expect.stringContaining('"gone"'), line: 4 } });
});

test("a text that is in no file yet is compiled as if it were", async () => {
  writeFileSync(join(root, "beside.ts"), "export const n = 1;");
  const text = `${HEAD}import { n } from "./beside.js";\n${DEFINITION}export const activities = { here: () => n };`;
  const given = await compile(join(root, "new.ts"), root, text);
  expect((await compile(join(root, "no/folder/new.ts"), root, HEAD + DEFINITION)).activitiesCode).toBeNull();
  writeFileSync(join(root, "new.ts"), text);

  expect(given).toEqual(await compile(join(root, "new.ts"), root));
  writeFileSync(join(root, "new.ts"), "export default 1;");
  expect(await compile(join(root, "new.ts"), root, text)).toEqual(given);
  await expect(compile(join(root, "new.ts"), root, `import fs from "node:fs";\nexport default fs;`)).rejects.toMatchObject({
    problem: { file: "new.ts", line: 1 },
  });
});

async function compiled(more: string) {
  const file = join(root, "w.ts");
  writeFileSync(file, HEAD + DEFINITION + more);
  return compile(file, root);
}

function activitiesOf(code: string | null): Record<string, (given?: unknown) => unknown> {
  const file = join(root, "activities.cjs");
  writeFileSync(file, code ?? "");
  return createRequire(import.meta.url)(file).activities;
}
