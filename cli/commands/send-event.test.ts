import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type CliStack, cliStack } from "../../test/support/cli.js";

let it: CliStack;
beforeAll(async () => {
  it = await cliStack();
  it.define(
    "listening",
    `const deployed = await ctx.waitForEvent("deployed"); const done = await ctx.waitForEvent("done"); return { deployed, done };`,
  );
});

test("an event is given to the run, with JSON, a file's, or nothing", async () => {
  const id = (await it.run(["run", "listening"])).stdout.trim();
  writeFileSync(join(it.project, "said.json"), `{ "url": "https://stage.example" }`);

  expect(await it.run(["send-event", id, "deployed", "@said.json"])).toMatchObject({ code: 0, stdout: "deployed sent\n" });
  const { stdout } = await it.run(["send-event", "latest", "done", "--format", "json"]);
  expect(JSON.parse(stdout)).toMatchObject({ run_id: id, name: "done" });

  expect((await it.run(["watch", id])).code).toBe(0);
  const { output } = JSON.parse((await it.run(["status", id, "--format", "json"])).stdout);
  expect(output).toEqual({ deployed: { url: "https://stage.example" }, done: null });
  const late = await it.run(["send-event", id, "done", "[1]"]);
  expect(late).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("it takes no event") });
});

test("what cannot be sent is told before anything is asked", async () => {
  expect(await it.run(["send-event", "latest", "deployed", "{no"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("is not JSON"),
  });
  expect(await it.run(["send-event", "latest", "two words"])).toMatchObject({ code: 2, stdout: "" });
  expect(await it.run(["send-event", "run_no_such", "deployed"])).toMatchObject({ code: 3, stdout: "" });
});

test("a file that is nowhere found goes to the server as it is, with its input read by its own schema", async () => {
  const file = join(it.project, "greet.yaml");
  const text = `
name: greet
argsSchema: { type: object, properties: { tag: { type: string } } }
steps:
  - { id: greet, type: script, command: 'printf "hello %s" {{ args.tag }}' }`;
  writeFileSync(file, text);

  const ended = await it.run(["run", "./greet.yaml", "--input", "tag=1.0", "--watch", "--format", "json"]);

  expect(ended.code).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({
    input: { tag: "1.0" },
    output: { outputs: { greet: { stdout: "hello 1.0" } } },
    workflow_definition: { name: "greet" },
  });
  writeFileSync(file, text.replace("command:", "comand:"));
  const broken = await it.run(["run", "greet.yaml"]);
  expect(broken).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/steps\[0\]\.comand:5:\d+: .*command/) });
});

test("a failure strategy is said for all steps of a run", async () => {
  const file = join(it.project, "failing.yaml");
  writeFileSync(
    file,
    `
name: failing
steps:
  - { id: breaks, type: script, command: "exit 3" }
  - { id: after, type: script, command: "true" }`,
  );

  expect((await it.run(["workflow", "run", file])).code).toBe(1);
  expect((await it.run(["workflow", "run", file, "--on-failure", "continue"])).code).toBe(0);
  const { steps } = JSON.parse((await it.run(["status", "latest", "--format", "json"])).stdout);
  expect(steps).toMatchObject([
    { step_id: "breaks", status: "failed" },
    { step_id: "after", status: "completed" },
  ]);
});
