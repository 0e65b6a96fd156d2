import { beforeAll, expect, test, vi } from "vitest";
import { type CliStack, cliStack } from "../../test/support/cli.js";
import { scriptedModel } from "../../test/support/scripted-model.js";

await scriptedModel();
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

test("what an agent asks is allowed for the run, after a restart of everything, and its next one does not ask", async () => {
  it.define(
    "tag",
    `await ctx.agent("first", { prompt: "[[shell git tag one]]" });
     return (await ctx.agent("second", { prompt: "[[shell git tag two]] [[say Both are there.]]" })).text;`,
  );
  const watching = it.begin(["run", "tag", "--watch"]);
  await vi.waitFor(() => expect(watching.said.stdout).toMatch(/Waiting: .*use Bash in .*: git tag one/), 60_000);
  const [, id = "", request = ""] = /longhaul approve (run_\w+) --request (\S+)`/.exec(watching.said.stdout) ?? [];
  await it.restart();

  expect(await it.run(["approve", id, "--request", `${request}9`])).toMatchObject({ code: 1, stdout: "" });
  const approved = await it.run(["approve", id, "--for-run", "--request", request]);

  expect(approved).toMatchObject({ code: 0, stdout: "first approved: Bash\n" });
  expect((await watching.ended).code).toBe(0);
  const { output, steps } = JSON.parse((await it.run(["status", id, "--format", "json"])).stdout);
  expect(output).toBe("Both are there.");
  expect(steps[0].output.permissions).toMatchObject([{ tool: "Bash", allowed: true, scope: "run", by: "local" }]);
  expect(steps[1].output.permissions).toBeUndefined();
}, 180_000);
