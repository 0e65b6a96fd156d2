import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { packageRoot } from "../package-root.js";
import { createLoader } from "../worker/load.js";

const folder = join(packageRoot, "examples");
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(folder, name));

test.each(files.map((file) => basename(file)))(
  "%s loads, under the name of its file, and says what input it takes",
  async (file) => {
    const result = await createLoader().load(join(folder, file), packageRoot);

    expect(result).toMatchObject({ ok: true, workflow: { name: basename(file, ".ts"), args_schema: { type: "object" } } });
  },
);

test("all examples fit the types that authors get", () => {
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
    paths: { longhaul: [join(packageRoot, "sdk/index.ts")] },
  });
  const problems = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));

  expect(problems).toEqual([]);
});

test.each(files.map((file) => basename(file)))("%s imports nothing but longhaul and zod", (file) => {
  const imports = ts.preProcessFile(ts.sys.readFile(join(folder, file)) ?? "").importedFiles.map(({ fileName }) => fileName);

  expect(imports.toSorted()).toEqual(["longhaul", "zod"]);
});
