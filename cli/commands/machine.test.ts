import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { newId } from "../../contract/id.js";
import { freePort } from "../../local/ports.js";
import { beginCli } from "../../test/support/cli.js";
import { makeNamespace } from "../../test/support/longhaul.js";
import { makeRepository } from "../../test/support/repository.js";
import { temporalAddress, testDatabase, testFolder } from "../../test/support/stack.js";
import { EVERYTHING } from "../../test/support/tool-project.js";

const RIGHT = `import { defineWorkflow } from "longhaul"; export default defineWorkflow({ name: "right", async execute() { return 1; } });`;

/** A program's run in a folder of its own, with no server anywhere. */
async function folder(env: NodeJS.ProcessEnv = {}) {
  const cwd = testFolder();
  const own = { LONGHAUL_HOME: join(cwd, "home"), LONGHAUL_PORT: String(await freePort()), ...env };
  const begin = (...args: string[]) => beginCli(args, { cwd, env: own });
  return {
    cwd,
    begin,
    run: (...args: string[]) => begin(...args).ended,
    write: (name: string, text: string) => {
      mkdirSync(join(cwd, name, ".."), { recursive: true });
      writeFileSync(join(cwd, name), text);
    },
  };
}

describe("validate", () => {
  test("says nothing on stdout of files that are right", async () => {
    const here = await folder();
    here.write("right.ts", RIGHT);
    here.write("right.yaml", "name: right\nsteps:\n  - id: one\n    type: script\n    command: echo 1\n");

    expect(await here.run("validate", "right.ts", "right.yaml")).toEqual({
      code: 0,
      stdout: "",
      stderr: "right.ts is right.\nright.yaml is right.\n",
    });
  });

  test("prints every problem where it is, as compilers do, and ends with 1", async () => {
    const here = await folder();
    here.write(
      "code.ts",
      `import { defineWorkflow } from "longhaul";\nexport default defineWorkflow({ name: "x", async execute( { } });`,
    );
    here.write(
      "plan.yaml",
      "name: wrong\nsteps:\n  - id: one\n    type: script\n    comand: echo 1\n  - id: one\n    type: nothing\n",
    );

    const { code, stdout } = await here.run("validate", "code.ts", "plan.yaml");

    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^code\.ts:2:\d+: /);
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines.slice(1)) expect(line).toMatch(/^plan\.yaml:[3-7]:\d+: /);
    expect(stdout).toMatch(/plan\.yaml:5:5: .*comand/);
    expect(code).toBe(1);
    const told = JSON.parse((await here.run("validate", "plan.yaml", "--format", "json")).stdout);
    expect(told).toEqual(expect.arrayContaining([expect.objectContaining({ file: "plan.yaml", line: 5, column: 5 })]));
  });

  test("with --tools also checks calls by what the project's servers offer, and says which it could not ask", async () => {
    const here = await folder();
    const everything = { command: process.execPath, args: [EVERYTHING, "stdio"] };
    here.write(".agent/mcp.json", JSON.stringify({ mcpServers: { everything, away: { command: "no-such-program" } } }));
    const step = (id: string, tool: string, params: string) =>
      `  - { id: ${id}, type: tool, tool: ${tool}, params: ${params} }\n`;
    here.write("right.yaml", `name: right\nsteps:\n${step("say", "everything.echo", "{ message: hello }")}`);
    here.write("wrong.yaml", `name: wrong\nsteps:\n${step("say", "everything.echo", "{ mesage: hello }")}`);
    here.write("away.yaml", `name: away\nsteps:\n${step("go", "away.go", "{}")}`);
    here.write("code.ts", RIGHT);

    const wrong = await here.run("validate", "--tools", "right.yaml", "wrong.yaml");
    const away = await here.run("validate", "--tools", "away.yaml", "code.ts");

    expect(wrong).toMatchObject({ code: 1, stderr: "right.yaml is right.\n" });
    expect(wrong.stdout).toBe('wrong.yaml:3:59: everything.echo needs "message".\n');
    expect(await here.run("validate", "wrong.yaml")).toMatchObject({ code: 0 });
    expect(away).toMatchObject({ code: 0, stdout: "" });
    expect(away.stderr).toMatch(/^The calls of the tool server "away" were not checked\. .*no-such-program.*$/m);
    expect(away.stderr).toMatch(/^code\.ts: calls of tools in code are checked when they are made\.$/m);
  });

  test("looks for the functions that a definition calls", async () => {
    const here = await folder();
    here.write("release.ts", "export const publish = () => 1;");
    const calling = (name: string) =>
      `name: w\nactivities: ./release.ts\nsteps:\n  - { id: a, type: activity, activity: ${name} }\n`;
    here.write("right.yaml", calling("publish"));
    here.write("wrong.yaml", calling("publsh"));

    expect(await here.run("validate", "right.yaml")).toMatchObject({ code: 0, stdout: "" });
    expect((await here.run("validate", "wrong.yaml")).stdout).toMatch(/^wrong\.yaml:4:40: .*"publsh"\. Did you mean "publish"\?/);
  });

  test("ends with 3 for a file that is not there", async () => {
    const here = await folder();

    expect(await here.run("validate", "none.ts")).toEqual({ code: 3, stdout: "", stderr: "There is no file none.ts.\n" });
  });
});

describe("doctor", () => {
  test("finds all there is, and says how to start it", async () => {
    const here = await folder({
      TEMPORAL_ADDRESS: await temporalAddress(),
      LONGHAUL_CLAUDE_BIN: process.execPath,
      LONGHAUL_CODEX_BIN: "/nowhere/codex",
      LONGHAUL_GEMINI_BIN: "/nowhere/gemini",
      LONGHAUL_GROK_BIN: "/nowhere/grok",
    });

    const { code, stdout } = await here.run("doctor");

    expect(stdout).toMatch(/^✔ Node +v\d+/);
    expect(stdout).toMatch(/^✔ git +git version/m);
    expect(stdout).toMatch(/^✔ Temporal +\S+:\d+, namespace default$/m);
    expect(stdout).toMatch(/^✔ Postgres +\d+.*, Longhaul's own$/m);
    expect(stdout).toMatch(/^✔ Claude Code +v/m);
    expect(stdout).toMatch(/^– Gemini CLI +LONGHAUL_GEMINI_BIN is \/nowhere\/gemini, and there is no such program\.$/m);
    expect(stdout).toMatch(/^– Grok Build +LONGHAUL_GROK_BIN is \/nowhere\/grok, and there is no such program\.$/m);
    expect(stdout).toMatch(/^– Codex +LONGHAUL_CODEX_BIN is \/nowhere\/codex, and there is no such program\.$/m);
    expect(stdout).toMatch(/^– server +does not run\. `longhaul start` starts it on http:\/\/127\.0\.0\.1:\d+\.$/m);
    expect(code).toBe(0);
  });

  test("says what an agent cannot do", async () => {
    const gemini = join(testFolder(), "gemini");
    writeFileSync(gemini, "#!/bin/sh\necho 0.61.3\n", { mode: 0o755 });
    const here = await folder({ TEMPORAL_ADDRESS: await temporalAddress(), LONGHAUL_GEMINI_BIN: gemini });

    const { stdout } = await here.run("doctor");

    expect(stdout).toContain(`0.61.3, ${gemini}. It has no mcpServers, session: { fork }, cost and budgets in dollars.`);
  });

  test("ends with 1 when something is missing, and says which setting", async () => {
    const port = await freePort();
    const here = await folder({
      TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
      DATABASE_URL: `postgres://127.0.0.1:${port}/none`,
      LONGHAUL_HOME: "/proc/none",
    });
    here.write(".agent/mcp.json", `{ "mcpServers": { "github": { "comand": "npx" } } }`);

    const { code, stdout } = await here.run("doctor", "--format", "json");

    const found = new Map(JSON.parse(stdout).map((one: { what: string }) => [one.what, one]));
    expect(found.get("Temporal")).toMatchObject({ state: "missing", says: expect.stringContaining("TEMPORAL_ADDRESS") });
    expect(found.get("Postgres")).toMatchObject({ state: "missing", says: expect.stringContaining("DATABASE_URL") });
    expect(found.get("MCP servers")).toMatchObject({ state: "missing", says: expect.stringContaining("mcpServers.github") });
    expect(found.get("git")).toMatchObject({ state: "ok" });
    expect(code).toBe(1);
  });
});

describe("start and rebuild", () => {
  test("bring everything up until Ctrl-C; meanwhile nothing is rebuilt, and afterwards all of it", async () => {
    const database = await testDatabase();
    const [address, namespace] = [await temporalAddress(), newId("test").replaceAll("_", "-")];
    const connection = await Connection.connect({ address });
    await makeNamespace(connection, namespace).finally(() => connection.close());
    const here = await folder({ TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace, DATABASE_URL: database.url });
    onTestFinished(() => database.drop());
    const project = await makeRepository(here.cwd);
    const server = here.begin("dev");
    onTestFinished(() => void server.child.kill("SIGKILL"));
    await vi.waitFor(() => expect(server.said.stdout).toMatch(/Longhaul +http/), 60_000);
    const file = join(project, ".agent/workflows/definitions/right.ts");
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, RIGHT);

    const doctor = await here.run("doctor", "--format", "json");
    expect(JSON.parse(doctor.stdout)).toContainEqual(
      expect.objectContaining({ what: "server", state: "ok", says: expect.stringContaining(`pid ${server.child.pid}`) }),
    );
    expect(await here.run("run", file, "--watch")).toMatchObject({ code: 0 });
    const refused = await here.run("rebuild");
    expect(refused).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining(`(pid ${server.child.pid})`) });

    server.child.kill("SIGINT");
    expect((await server.ended).code).toBe(0);
    expect(await here.run("rebuild")).toMatchObject({ code: 0, stdout: "1 runs rebuilt, 0 with new event numbers, 0 not.\n" });
  }, 180_000);
});

test("help lists every command and the exit codes, the version is the package's", async () => {
  const here = await folder();

  const help = await here.run("--help");
  expect(help).toMatchObject({ code: 0, stderr: "" });
  for (const command of ["run", "list", "watch", "logs", "doctor", "workflow"])
    expect(help.stdout).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
  expect(help.stdout).toContain("Exit codes: 0 ok");
  expect(Math.max(...help.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(await here.run("--version")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  expect(await here.run()).toMatchObject({ code: 2, stderr: expect.stringContaining("Usage: longhaul") });
});
