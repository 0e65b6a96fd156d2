import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testFolder } from "../test/support/stack.js";
import { createLoader } from "./load.js";

const root = testFolder();
const outside = testFolder();
const loader = createLoader({ timeLimitMs: 5_000 });
mkdirSync(join(root, "flows/lib"), { recursive: true });
save(
  "flows/lib/release.ts",
  "export async function publish({ tag }: { tag: string }) { return `published ${tag}`; }\nexport const retries = 3;",
);
writeFileSync(join(outside, "stolen.ts"), "export const publish = () => 1;");
symlinkSync(join(outside, "stolen.ts"), join(root, "flows/linked.ts"));

test("a definition comes with the compiled functions of its file, and both count for its content", async () => {
  const first = await loaded("./lib/release.ts");
  if (!first.ok) throw new Error(first.error.message);

  expect(first.files).toEqual([join(root, "flows/w.yaml"), join(root, "flows/lib/release.ts"), expect.anything()]);
  expect(first.workflow).toMatchObject({ program: { kind: "plan", activities_hash: expect.stringMatching(/^[0-9a-f]{64}$/) } });
  expect(first.workflow.activities_code).toContain("published");
  expect(await loaded("./lib/release.ts")).toMatchObject({ workflow: { hash: first.workflow.hash } });

  save("flows/lib/release.ts", "export const publish = () => 'published otherwise';");
  const edited = await loaded("./lib/release.ts");
  expect(edited.ok && edited.workflow.hash).not.toBe(first.workflow.hash);
  expect(edited.ok && edited.workflow.program).not.toEqual(first.workflow.program);
});

test.each([
  [
    "that is not exported",
    "./lib/release.ts",
    "publsh",
    5,
    'flows/lib/release.ts exports no function "publsh". Did you mean "publish"?',
  ],
  ["of a file that is not there", "./lib/gone.ts", "publish", 3, "There is no file flows/lib/gone.ts."],
  ["of a file outside of the project", "../../x/stolen.ts", "publish", 3, "is outside of the project"],
  ["of a file that is linked from outside", "./linked.ts", "publish", 3, "is outside of the project"],
])("a function %s is refused at its place in the definition", async (_, file, name, line, message) => {
  expect(await loaded(file, name)).toMatchObject({
    ok: false,
    error: { file: "flows/w.yaml", line, column: expect.any(Number), message: expect.stringContaining(message) },
  });
});

test.each([
  ["cannot be compiled", "export const publish = (", { line: 1, message: expect.stringContaining("Unexpected") }],
  ["throws as it is read", 'throw new Error("not here");\nexport const publish = 1;', { message: "not here" }],
  [
    "never ends as it is read",
    "for (;;);\nexport const publish = 1;",
    { message: expect.stringContaining("not evaluated within 5 s") },
  ],
])("a file of functions that %s is named", async (_, text, error) => {
  save("flows/lib/broken.ts", text);

  expect(await loaded("./lib/broken.ts")).toMatchObject({ ok: false, error: { file: "flows/lib/broken.ts", ...error } });
});

test("a definition that is in no file has no functions to call", async () => {
  const compiled = await loader.compileText(definition("./lib/release.ts"), "w.yaml");

  expect(compiled).toMatchObject({
    ok: false,
    problems: [{ path: "activities", line: 3, message: expect.stringContaining("Save this one") }],
  });
});

function definition(file: string, name = "publish"): string {
  return `name: w

activities: ${file}
steps:
  - { id: a, type: activity, activity: ${name}, params: { tag: v1 } }`;
}

function loaded(file: string, name?: string) {
  save("flows/w.yaml", definition(file, name));
  return loader.load(join(root, "flows/w.yaml"), root);
}

function save(path: string, text: string): void {
  writeFileSync(join(root, path), text);
}
