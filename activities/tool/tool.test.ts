import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CancelledFailure } from "@temporalio/common";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { packageRoot } from "../../package-root.js";
import { builtScript } from "../../test/support/built-script.js";
import { testFolder } from "../../test/support/stack.js";
import { EVERYTHING, FILESYSTEM, servers, ToolProject } from "../../test/support/tool-project.js";
import { ownerMark, thisProcess } from "../process-owner.js";
import { sweep } from "../sweep.js";

/** Where the SDK's package is found. */
const STUB = join(packageRoot, "node_modules/.cache", `longhaul-stub-${process.pid}.mjs`);

let project: ToolProject;
const everything = { command: process.execPath, args: [EVERYTHING, "stdio"] };

beforeEach(() => {
  project = new ToolProject();
  project.configure({ everything });
});

afterEach(async () => {
  await project.stop();
  expect(servers(), "nothing is left when the worker has stopped").toEqual([]);
});

afterAll(async () => {
  rmSync(STUB, { force: true });
  await sweep({ LONGHAUL_OWNER: ownerMark(thisProcess()) }, 0);
});

describe("a tool's answer", { timeout: 30_000 }, () => {
  test("is its structured content", async () => {
    const { value } = await project.use("everything.get-structured-content", { location: "Chicago" });

    expect(value).toEqual({ temperature: 36, conditions: "Light rain / drizzle", humidity: 82 });
  });

  test("is its text when there is nothing else", async () => {
    expect((await project.use("everything.echo", { message: "hello" })).value).toEqual({ text: "Echo: hello" });
  });

  test("is the JSON that its only text is", async () => {
    expect((await project.use("everything.get-env")).value).toMatchObject({ HOME: process.env.HOME });
  });

  test("has all its parts when some are no text", async () => {
    const { value } = await project.use("everything.get-tiny-image");

    expect(value).toMatchObject({
      text: expect.stringContaining("image"),
      content: [{ type: "text" }, { type: "image", mimeType: "image/png" }, { type: "text" }],
    });
  });

  test("comes with a row of the call", async () => {
    const { tool_calls } = await project.use("everything.echo", { message: "hello" });

    expect(tool_calls).toMatchObject([
      {
        step_id: "run_1-1",
        tool: "everything.echo",
        input: { message: "hello" },
        output: { text: "Echo: hello" },
        is_error: false,
        agent_session_id: null,
      },
    ]);
  });
});

describe("before anything is called", { timeout: 30_000 }, () => {
  test("a server that nobody knows is refused, with the nearest name", async () => {
    await expect(project.use("everthing.echo")).rejects.toMatchObject({
      type: "tool_unknown_server",
      message: expect.stringContaining('Did you mean "everything"?'),
    });
  });

  test("a tool that the server does not have is refused, with the nearest name", async () => {
    await expect(project.use("everything.getSum", { a: 1, b: 2 })).rejects.toMatchObject({
      type: "tool_unknown",
      message: expect.stringContaining('Did you mean "get-sum"?'),
    });
  });

  test("params that do not fit are refused, each named", async () => {
    await expect(project.use("everything.get-sum", { a: "one" })).rejects.toMatchObject({
      type: "tool_invalid_params",
      message:
        "everything.get-sum was not called, for its params do not fit: params must have required property 'b', params/a must be number.",
    });
  });

  test("a file of servers that is not right is refused, with the place of each mistake", async () => {
    project.configure({ broken: { comand: "node", args: [1] }, everything: everything });

    await expect(project.use("broken.echo")).rejects.toMatchObject({
      type: "tool_config_invalid",
      message: expect.stringMatching(/mcpServers\.broken\.command: .*mcpServers\.broken\.args\.0: /),
    });
    expect((await project.use("everything.echo", { message: "x" })).value).toEqual({ text: "Echo: x" });

    writeFileSync(join(project.path, ".agent/mcp.json"), "{");
    await expect(project.use("everything.echo")).rejects.toMatchObject({
      type: "tool_config_invalid",
      message: expect.stringContaining("no JSON"),
    });
  });

  test("a server that cannot be started says why, in its own words", async () => {
    project.configure({
      missing: { command: "no-such-program" },
      crashing: { command: process.execPath, args: ["-e", "console.error('no licence'); process.exit(3)"] },
    });

    await expect(project.use("missing.echo")).rejects.toMatchObject({
      type: "tool_server_failed",
      message: expect.stringContaining('no program "no-such-program"'),
    });
    await expect(project.use("crashing.echo")).rejects.toMatchObject({
      type: "tool_server_failed",
      message: expect.stringContaining("its process exited with code 3. It said: no licence"),
    });
  });
});

describe("a call that goes wrong", { timeout: 30_000 }, () => {
  test("fails with the tool's own words when the tool says so", async () => {
    project.configure({ files: { command: process.execPath, args: [FILESYSTEM, project.path] } });
    const failing = project.use("files.read_text_file", { path: "/etc/passwd" });

    await expect(failing).rejects.toMatchObject({
      type: "tool_failed",
      message: expect.stringContaining("Access denied"),
      nonRetryable: true,
      details: [{ output: { text: expect.stringContaining("Access denied") }, tool_calls: [{ is_error: true }] }],
    });
  });

  test("fails as lost when the server ends under it, and the next call finds a new one", async () => {
    const long = project.use("everything.trigger-long-running-operation", { duration: 60, steps: 60 });
    await project.until(() => servers().length === 1 && project.output.includes("1 of 60"));
    const [pid = 0] = servers();
    process.kill(pid, "SIGKILL");

    await expect(long).rejects.toMatchObject({
      type: "tool_server_lost",
      message: expect.stringContaining("its process was killed by SIGKILL"),
    });
    expect((await project.use("everything.echo", { message: "again" })).value).toEqual({ text: "Echo: again" });
  });

  test("is given up when it takes too long, and the server is told", async () => {
    project.configure({ own: stub() });

    await expect(project.use("own.wait", {}, { timeoutMs: 1_500 })).rejects.toMatchObject({ type: "timed_out" });
    await project.until(() => readdirSync(project.path).includes("told"));
  });

  test("is given up when the step is cancelled, and the server is told", async () => {
    project.configure({ own: stub() });
    const environment = project.environment();
    const waiting = project.use("own.wait", {}, { environment });
    const refused = expect(waiting).rejects.toBeInstanceOf(CancelledFailure);
    await project.until(() => project.output.includes("waiting"));
    environment.cancel("CANCELLED");

    await refused;
    await project.until(() => readdirSync(project.path).includes("told"));
    expect(servers()).toHaveLength(1);
  });

  test("is idle when nothing is heard of it; its progress is heard", async () => {
    const steps = { duration: 2, steps: 8 };

    await expect(
      project.use("everything.trigger-long-running-operation", { duration: 60, steps: 1 }, { idleTimeoutMs: 700 }),
    ).rejects.toMatchObject({
      type: "idle_timed_out",
    });
    expect((await project.use("everything.trigger-long-running-operation", steps, { idleTimeoutMs: 1_500 })).value).toBeDefined();
    expect(project.output).toContain("7 of 8\n");
    expect(project.beats).toContainEqual(expect.objectContaining({ tool_progress: "7 of 8" }));
  });

  test("ends a server that answers nobody any more", async () => {
    project.configure({ own: stub() });
    await expect(project.use("own.fail")).rejects.toMatchObject({ type: "tool_failed" }); // it has begun
    await expect(project.use("own.block", {}, { timeoutMs: 500 })).rejects.toMatchObject({ type: "timed_out" });
    await project.until(() => servers().length === 0, 20_000);

    await expect(project.use("own.fail")).rejects.toMatchObject({ type: "tool_failed" });
  });
});

describe("a server", { timeout: 30_000 }, () => {
  test("is shared by the calls of its project, and by no other's", async () => {
    await Promise.all([project.use("everything.echo", { message: "a" }), project.use("everything.echo", { message: "b" })]);
    expect(servers()).toHaveLength(1);

    const other = realpathSync(testFolder());
    cpSync(join(project.path, ".agent"), join(other, ".agent"), { recursive: true });
    await project.use("everything.echo", { message: "c" }, { path: other });
    expect(servers()).toHaveLength(2);
  });

  test("is another one when its settings change", async () => {
    await project.use("everything.echo", { message: "a" });
    project.configure({ everything: { ...everything, env: { COLOUR: "red" } } });

    expect((await project.use("everything.get-env")).value).toMatchObject({ COLOUR: "red" });
  });

  test("is closed when nothing has been asked of it for a while", async () => {
    project.deps.idleServerMs = 200;
    await project.use("everything.echo", { message: "a" });
    await project.until(() => servers().length === 0);
  });

  test("knows nothing of the worker's environment but what it is given", async () => {
    process.env.MCP_TOOL_TOKEN = "a-secret-token";
    process.env.DATABASE_URL = "postgres://secret";
    project.configure({
      everything: { ...everything, env: { TOKEN: `Bearer \${MCP_TOOL_TOKEN}`, WHERE: `\${project}` } },
    });
    const { value } = await project.use("everything.get-env");
    delete process.env.MCP_TOOL_TOKEN;
    delete process.env.DATABASE_URL;

    expect(value).toMatchObject({ TOKEN: "Bearer ***", WHERE: project.path });
    expect(Object.keys(value as object)).not.toContain("DATABASE_URL");
  });

  test("that is still starting is ended with the worker, too", async () => {
    project.configure({ slow: { command: "sleep", args: ["300"] } });
    const refused = expect(project.use("slow.echo")).rejects.toMatchObject({ type: "tool_server_failed" });
    await project.until(() => servers().length === 1);
    await project.stop();

    await refused;
    expect(servers()).toEqual([]);
  });

  test("ends with a worker that is killed", async () => {
    const [owner, launcher] = await Promise.all(["test/support/tool-owner.ts", "activities/launcher-child.ts"].map(builtScript));
    project.configure({ own: stub() });
    const worker = spawn(process.execPath, [owner ?? "", launcher ?? "", project.path, "own"]);
    await once(worker.stdout, "data");
    const mark = `tools:${worker.pid}-`;
    expect(servers(mark)).toHaveLength(1);
    worker.kill("SIGKILL");

    await project.until(() => servers(mark).length === 0);
  });

  test("may not name a variable that is not meant for it", async () => {
    project.configure({ everything: { command: "node", env: { TOKEN: `\${AWS_SECRET_ACCESS_KEY}` } } });

    await expect(project.use("everything.echo")).rejects.toMatchObject({
      type: "tool_config_invalid",
      message: expect.stringContaining("MCP_AWS_SECRET_ACCESS_KEY"),
    });
  });

  test("writes its standard error into the log of the steps it works for", async () => {
    project.configure({ own: stub() });
    await expect(project.use("own.fail")).rejects.toMatchObject({ type: "tool_failed", message: "It cannot be done." });

    expect(project.output).toContain("trying\n");
  });
});

/** A server in a few lines, which does not end by itself: `wait` waits until it is cancelled, `fail` says no, `block` answers nobody any more. */
function stub(): object {
  const code = `
    import { writeFileSync } from "node:fs";
    import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
    import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
    const server = new McpServer({ name: "stub", version: "1" });
    server.registerTool("wait", {}, ({ signal }) => {
      console.error("waiting");
      return new Promise((resolve) => signal.addEventListener("abort", () => { writeFileSync("told", "yes"); resolve({ content: [] }); }));
    });
    server.registerTool("fail", {}, () => {
      console.error("trying");
      return new Promise((resolve) => setTimeout(resolve, 300, { content: [{ type: "text", text: "It cannot be done." }], isError: true }));
    });
    server.registerTool("block", {}, () => { for (;;); });
    setInterval(() => {}, 60_000);
    await server.connect(new StdioServerTransport());`;
  mkdirSync(dirname(STUB), { recursive: true });
  writeFileSync(STUB, code);
  return { command: process.execPath, args: [STUB] };
}
