import { beforeAll, expect, test, vi } from "vitest";
import { User, UserToken } from "../../contract/user.js";
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

test("people answer under names of their own, or have another answer, and it is kept who did what", async () => {
  it.define(
    "team",
    `return (await ctx.approve("sure", { message: "Sure?", approvers: ["ana", "cleo"], required: 2 })).approved;`,
  );
  const added = await it.run(["users", "add", "ana"]);
  expect([added.code, added.stdout]).toEqual([0, expect.stringMatching(/^lhu_\S{43}\n$/)]);
  const as = new Map([["ana", { env: { LONGHAUL_TOKEN: added.stdout.trim() } }]]);
  for (const id of ["ben", "cleo"]) {
    await it.client.post("/api/users", User, { id });
    const { token } = await it.client.post(`/api/users/${id}/tokens`, UserToken, {});
    as.set(id, { env: { LONGHAUL_TOKEN: token } });
  }
  const watching = it.begin(["run", "team", "--watch"]);
  await vi.waitFor(() => expect(watching.said.stdout).toContain("Sure?"), 60_000);

  const refused = await it.run(["approve", "latest"]);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("Only ana, cleo may answer") });
  expect((await it.run(["delegate", "latest", "ben"], as.get("ana"))).stdout).toBe("sure is for ben to answer\n");
  expect((await it.run(["approve", "latest"], as.get("ben"))).stdout).toBe("sure approved, 1 of 2 so far\n");
  expect((await it.run(["status", "latest"])).stdout).toMatch(/Waits for +Sure\?, of ben, cleo, 1 of 2 so far/);
  expect((await it.run(["approve", "latest", "-c", "go"], as.get("cleo"))).stdout).toBe("sure approved\n");

  expect((await watching.ended).code).toBe(0);
  const said = (await it.run(["approvals", "latest"])).stdout;
  expect(said).toMatch(/ana +delegate to ben[\s\S]*ben +approve[\s\S]*cleo +approve .* go/);
}, 240_000);

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
