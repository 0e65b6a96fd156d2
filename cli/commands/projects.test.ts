import { beforeAll, expect, test } from "vitest";
import { type CliStack, cliStack } from "../../test/support/cli.js";

let it: CliStack;
beforeAll(async () => {
  it = await cliStack();
  it.define(
    "with-secret",
    `return (await ctx.shell("printf '%s' \\"$NPM_TOKEN\\" | wc -c", { secrets: ["NPM_TOKEN"] })).stdout;`,
  );
  expect((await it.run(["run", "with-secret", "--watch"])).stderr).toContain("longhaul secrets set NPM_TOKEN");
});

const VALUE = "npm-0123456789";

test("a secret is set from stdin, used by a step, listed and removed, and its value is shown nowhere", async () => {
  const set = await it.run(["secrets", "set", "NPM_TOKEN"], { input: `${VALUE}\n` });
  const used = await it.run(["run", "with-secret", "--watch", "--format", "json"]);
  const listed = await it.run(["secrets", "list"]);
  const short = await it.run(["secrets", "set", "PIN", "--project", "."], { input: "123" });
  const removed = await it.run(["secrets", "remove", "NPM_TOKEN"]);

  expect(set).toMatchObject({ code: 0, stdout: expect.stringMatching(/^NPM_TOKEN set for /) });
  expect(JSON.parse(used.stdout)).toMatchObject({ status: "completed", output: `${VALUE.length}\n` });
  expect(listed.stdout).toMatch(/^NAME +SET\nNPM_TOKEN +\S/);
  expect(short).toMatchObject({ code: 0, stderr: expect.stringContaining("fewer than 4 characters") });
  expect(removed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^NPM_TOKEN removed/) });
  expect(JSON.stringify([set, used, listed, short, removed])).not.toContain(VALUE);
});

test("what is no secret is told", async () => {
  expect(await it.run(["secrets", "set", "NPM_TOKEN"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Nothing came on stdin"),
  });
  expect(await it.run(["secrets", "set", "npm"], { input: VALUE })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("capital letters"),
  });
  expect((await it.run(["secrets", "remove", "NONE"])).code).toBe(3);
  expect((await it.run(["secrets", "list", "--project", "nowhere"])).code).toBe(3);
});

test("a project's settings are shown and set", async () => {
  const set = await it.run([
    "projects",
    "set",
    ".",
    "allow_bypass=true",
    "env_allow=JAVA_HOME, GOPATH",
    "default_provider=codex",
    'budget_per_day={"usd": 20}',
  ]);
  const back = await it.run(["projects", "set", ".", "default_provider=", "--format", "json"]);
  const shown = await it.run(["projects", "show"]);

  expect(set).toMatchObject({ code: 0, stdout: expect.stringContaining("  allow_bypass=true\n  default_provider=codex\n") });
  expect(JSON.parse(back.stdout).settings).toEqual({
    allow_bypass: true,
    default_provider: null,
    trust_repository: false,
    env_allow: ["JAVA_HOME", "GOPATH"],
    budget_per_day: { usd: 20 },
  });
  expect(shown.stdout).toContain('  env_allow=JAVA_HOME,GOPATH\n  budget_per_day={"usd":20}\n');
  expect((await it.run(["projects", "list"])).stdout).toMatch(/^ID +NAME +PATH\nprj_/);
});

test("what is no setting is told", async () => {
  expect(await it.run(["projects", "set", ".", "allow=true"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("allow=true is no setting: write key=value, with one of name, allow_bypass"),
  });
  expect((await it.run(["projects", "set", ".", "allow_bypass=perhaps"])).code).toBe(2);
});
