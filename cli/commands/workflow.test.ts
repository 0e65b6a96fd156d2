import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { type CliStack, cliStack } from "../../test/support/cli.js";

let it: CliStack;
beforeAll(async () => {
  it = await cliStack();
});

const shape = (text: string) =>
  text
    .replace(/run_\w+/g, "<id>")
    .replace(/\d+ms/g, "<ms>")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replace(/\d+[sm] ago/g, "<ago>")
    .replace(/[\d.]+ KB/g, "<size>")
    .replace(/ckp_\w+|<id>-\w+/g, "<checkpoint>");

test("run executes a file to its end and says how it went", async () => {
  const file = it.define(
    "review",
    `await ctx.run("scan", () => 1); await ctx.run("report", () => 2);`,
    `version: "1.0.0", description: "Reviews",`,
  );

  const options = ["--context", `{"filePath": "a.ts"}`, "--triggered-by", "ci-pipeline", "--priority", "10"];
  const { code, stdout } = await it.run(["workflow", "run", file, ...options]);

  expect(shape(stdout)).toBe(
    "✓ Workflow completed successfully\nExecution ID: <id>\nWorkflow: review\nState: completed\nDuration: <ms>\nSteps: 2\n",
  );
  expect(code).toBe(0);
  const { stdout: told } = await it.run(["workflow", "status", "latest", "--format", "json"]);
  expect(JSON.parse(told)).toMatchObject({ context: { filePath: "a.ts" }, triggered_by: "ci-pipeline", priority: 10 });
});

test("run ends with 1 when the workflow fails, with the error", async () => {
  const file = it.define("breaks", `throw new Error("no such branch");`);

  const { code, stdout } = await it.run(["workflow", "run", file]);

  expect(shape(stdout)).toMatch(/^✗ Workflow failed\nExecution ID: <id>\n[\s\S]*Error: no such branch .*\n$/);
  expect(code).toBe(1);
});

test("list shows workflows with version, description, executions and success rate", async () => {
  const { stdout } = await it.run(["workflow", "list"]);

  expect(stdout).toMatch(/^NAME +VERSION +DESCRIPTION +EXECUTIONS +SUCCESS\n/);
  expect(stdout).toMatch(/^review +1\.0\.0 +Reviews +1 +100%$/m);
  expect(stdout).toMatch(/^breaks +rev 1 +- +1 +0%$/m);
  const { stdout: told } = await it.run(["workflow", "list", "--format", "json"]);
  expect(JSON.parse(told)).toEqual(
    expect.arrayContaining([expect.objectContaining({ slug: "review", stats: expect.anything() })]),
  );
});

test("list searches by words and tags", async () => {
  const found = async (...options: string[]) => {
    const { code, stdout } = await it.run(["workflow", "list", "--format", "json", ...options]);
    expect(code).toBe(0);
    return JSON.parse(stdout).map(({ slug }: { slug: string }) => slug);
  };

  expect(await found("--search", "Reviews")).toEqual(["review"]);
  expect(await found("--search", "-reviews")).not.toContain("review");
  expect(await found("--tag", "none", "--tag", "other")).toEqual([]);
  expect(await found("--author", "nobody")).toEqual([]);
  expect((await it.run(["workflow", "list", "--search", "nothing-like-it"])).stderr).toContain("There are no such workflows.");
});

test("status shows state, steps, times and errors", async () => {
  const failing = it.define(
    "half",
    `await ctx.run("one", () => 1); await ctx.run("two", () => { throw new Error("broken"); }, { retry: false });`,
  );
  await it.run(["workflow", "run", failing]);

  const { stdout, code } = await it.run(["workflow", "status", "latest"]);

  expect(shape(stdout)).toBe(
    "Workflow Execution Status:\n\nExecution ID: <id>\nWorkflow: half\nState: failed\nSteps: 1/2 completed, 1 failed\n" +
      "Started: <time> (<ago>)\nCompleted: <time> (<ago>)\nDuration: <ms>\nError: broken\n",
  );
  expect(code).toBe(0);
});

test("pause, then resume, which waits for the end and does no step again", async () => {
  const go = join(it.project, "..", "go");
  const file = it.define("long", `await ctx.shell("until [ -e ${go} ]; do sleep 0.1; done"); return ctx.shell("echo second");`);
  const id = (await it.run(["run", file])).stdout.trim();

  const paused = await it.run(["workflow", "pause", id]);
  expect(paused).toMatchObject({
    code: 0,
    stdout: `✓ Workflow execution paused: ${id}\n`,
    stderr: expect.stringContaining("longhaul workflow resume"),
  });

  writeFileSync(go, "");
  const resumed = await it.run(["workflow", "resume", id]);
  expect(shape(resumed.stdout)).toBe("✓ Workflow resumed and completed successfully\nState: completed\nDuration: <ms>\n");
  expect(resumed.code).toBe(0);
  const { steps } = JSON.parse((await it.run(["status", id, "--format", "json"])).stdout);
  expect(steps).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
});

test("checkpoints are listed with state, age, author, label and size, ten if not said otherwise", async () => {
  const file = it.define("many", `for (let i = 0; i < 12; i++) await ctx.run("step", () => i);`);
  await it.run(["workflow", "run", file]);

  const { stdout } = await it.run(["workflow", "checkpoints", "latest"]);
  const few = await it.run(["workflow", "checkpoints", "latest", "--limit", "2", "--format", "json"]);

  expect(stdout.match(/^\d+\. Checkpoint \S+$/gm)).toHaveLength(10);
  expect(shape(stdout)).toContain(
    "   State: after step 12, step | Created: <ago> | By: automatic\n   Label: -\n   Size: <size>\n",
  );
  expect(JSON.parse(few.stdout)).toHaveLength(2);
});

test("cancel ends a run, and whoever waits for it gets 5", async () => {
  const file = it.define("endless", `await ctx.shell("sleep 100", { name: "sleep" });`);
  const waiting = it.begin(["workflow", "run", file]);
  await vi.waitFor(() => expect(waiting.said.stderr).toContain("▶ sleep"), 20_000);

  const { code, stdout } = await it.run(["workflow", "cancel", "latest"]);

  expect(shape(stdout)).toBe("✓ Workflow execution cancelled: <id>\n");
  expect(code).toBe(0);
  expect(await waiting.ended).toMatchObject({ code: 5, stdout: expect.stringContaining("✗ Workflow cancelled") });
});
