import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Longhaul, longhaul } from "./support/longhaul.js";

let stack: Longhaul;
beforeAll(async () => {
  stack = await longhaul();
});

describe("a TypeScript workflow", () => {
  test("runs to its end, each step told with its number, output and time", async () => {
    const run = await stack.start(
      file(`
        const { stdout } = await ctx.shell("echo built", { name: "build" });
        await ctx.files.write("notes.txt", stdout);
        return { said: stdout.trim(), again: (await ctx.files.read("notes.txt")).trim() };`),
    );

    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", output: { said: "built", again: "built" }, error: null });
    expect(row.steps.map((step) => [step.step_number, step.step_id, step.kind, step.status])).toEqual([
      [1, "build", "shell", "completed"],
      [2, "files-write", "files", "completed"],
    ]);
    expect(row.steps[0]?.output).toMatchObject({ exitCode: 0, stdout: "built\n" });
    expect(row.steps[0]?.duration_ms).toBeGreaterThanOrEqual(0);
  });

  test("works in a tree of its own: the project's stays as it was", async () => {
    const run = await stack.start(file(`await ctx.shell("echo mine > only-here.txt"); return ctx.projectPath;`));

    const row = await run.finished();

    expect(existsSync(join(String(row.output), "only-here.txt"))).toBe(true);
    expect(existsSync(join(stack.project, "only-here.txt"))).toBe(false);
  });

  test("has zod whichever way its file imports it, with its error classes and locales", async () => {
    const run = await stack.start(`
      import { defineWorkflow } from "longhaul";
      import zod, { ZodError, z } from "zod";
      import * as all from "zod";
      export default defineWorkflow({ name: "imports", input: all.object({ n: z.number().default(1) }), async execute(ctx) {
        const { error } = zod.string().safeParse(ctx.input.n);
        return [ctx.input.n, error instanceof ZodError, error instanceof all.z.ZodError, typeof z.locales.de, typeof all.default.email];
      } });`);

    expect((await run.finished()).output).toEqual([1, true, true, "function", "function"]);
  });

  test("fails with the author's file and line when its code throws", async () => {
    const run = await stack.start(
      file(`const nothing: { foo(): void } | undefined = JSON.parse("null");\n        nothing!.foo();`),
    );

    const row = await run.finished();

    expect(row.status).toBe("failed");
    expect(row.error_message).toMatch(/Cannot read properties of null.*\(\.agent\/workflows\/definitions\/.*\.ts:\d+\)/);
  });

  test("calls the file's own activities, in Node, with their results", async () => {
    const run = await stack.start(`
      import { readFileSync } from "node:fs";
      import { activityTypes, defineWorkflow } from "longhaul";
      export const activities = { async size(path: string) { return readFileSync(path, "utf8").length; } };
      export default defineWorkflow({ name: "sizes", activities: activityTypes<typeof activities>(),
        async execute(ctx) { return ctx.activities.size(ctx.project.path + "/README.md"); } });`);

    const row = await run.finished();

    expect(row).toMatchObject({ status: "completed", output: readFileSync(join(stack.project, "README.md"), "utf8").length });
    expect(row.steps).toMatchObject([{ kind: "activity", step_id: "size", status: "completed" }]);
  });
});

let files = 0;
function file(body: string): string {
  return `import { defineWorkflow } from "longhaul";
    export default defineWorkflow({ name: "flow ${++files}", async execute(ctx) {${body}\n} });`;
}
