import { beforeAll, expect, test, vi } from "vitest";
import { type CliStack, cliStack } from "../../test/support/cli.js";

let it: CliStack;
beforeAll(async () => {
  it = await cliStack();
  it.define(
    "ship",
    `const { approved, comment, fields } = await ctx.approve("ship-it", { message: "Ship it?", fields: ctx.input.ask ? z.object({ ticket: z.string(), count: z.int() }) : undefined });
     return { approved, comment, fields };`,
    `input: z.object({ ask: z.boolean().default(false) }),`,
  );
});

test("a run that is watched says what it asks, and goes on when it is approved", async () => {
  const watching = it.begin(["run", "ship", "--input", "ask=true", "--watch"]);
  await vi.waitFor(() => expect(watching.said.stdout).toMatch(/Waiting: .*Ship it\?/), 30_000);
  const [, id = ""] = /longhaul approve (run_\w+)/.exec(watching.said.stdout) ?? [];

  const refused = await it.run(["approve", id, "--field", "ticket=7", "--field", "count=many"]);
  expect(refused).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("count") });
  const approved = await it.run(["approve", id, "--field", "ticket=7", "--field", "count=2", "--comment", "go"]);
  expect(approved).toMatchObject({ code: 0, stdout: "ship-it approved\n" });

  expect((await watching.ended).code).toBe(0);
  const { output } = JSON.parse((await it.run(["status", id, "--format", "json"])).stdout);
  expect(output).toEqual({ approved: true, comment: "go", fields: { ticket: "7", count: 2 } });
});

test("a rejection is given to the run, named by its step", async () => {
  const watching = it.begin(["run", "ship", "--watch"]);
  await vi.waitFor(() => expect(watching.said.stdout).toContain("Ship it?"), 30_000);

  const rejected = await it.run(["reject", "latest", "ship-it", "--comment", "not today", "--format", "json"]);

  expect(JSON.parse(rejected.stdout)).toMatchObject({ step_id: "ship-it", kind: "approval" });
  expect((await watching.ended).code).toBe(0);
  expect(await it.run(["approve", "latest"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("asks nothing just now"),
  });
  expect(await it.run(["approve", "latest", "ship-it"])).toMatchObject({ code: 1, stdout: "" });
});
