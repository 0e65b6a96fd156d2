import { execFileSync, fork, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ModelServer, startModelServer } from "../../local/model-server.js";
import { type AgentEvent, type ClaudeRequest, runClaude } from "./claude.js";
import { sessionIdFor } from "./session-file.js";

describe("Claude Code", { timeout: 30_000 }, () => {
  test("works with its tools in the run's tree and says what it used", async () => {
    const end = await claude("Please [[write hello.txt hello]] [[say It is written.]]", { permission: "acceptEdits" });

    expect(end).toMatchObject({ status: "completed", text: "It is written.", failure: null, permissionDenials: [] });
    expect(read("hello.txt")).toBe("hello");
    expect(end.usage).toMatchObject({ turns: 2, model: expect.stringContaining("claude") });
    expect(end.usage.input_tokens).toBeGreaterThan(0);
    expect(end.usage.cost_usd).toBeGreaterThan(0);
  });

  test("tells text and tool calls while it works", async () => {
    await claude("[[write hello.txt hello]] [[say Ready.]]", { permission: "acceptEdits" });

    expect(events.filter(({ type }) => type === "tool" || type === "tool_result" || type === "text")).toMatchObject([
      { type: "tool", tool: "Write", input: { content: "hello" } },
      { type: "tool_result", isError: false },
      { type: "text", text: "Ready." },
    ]);
  });

  test("uses the session id chosen for the attempt and leaves its transcript", async () => {
    const end = await claude("[[say hi]]");

    expect(end.sessionId).toBe(sessionIdFor("run_1-1/1"));
    expect(readFileSync(end.transcript ?? "", "utf8")).toContain("[[say hi]]");
  });

  test.each(["default", "acceptEdits"] as const)(
    "in mode %s refuses what would need a person, and lists it",
    async (permission) => {
      const end = await claude("[[shell npm run deploy]] [[say I could not.]]", { permission });

      expect(end.status).toBe("completed");
      expect(end.permissionDenials).toMatchObject([{ tool: "Bash", reason: expect.stringContaining("nobody can be asked") }]);
    },
  );

  test("in mode plan changes nothing", async () => {
    const end = await claude("[[write made.txt no]] [[say 1. Write the file.]]", { permission: "plan" });

    expect(end).toMatchObject({ status: "completed", text: "1. Write the file.", permissionDenials: [{ tool: "Write" }] });
    expect(existsSync(join(tree, "made.txt"))).toBe(false);
  });

  test("in mode bypassPermissions runs commands unasked, as root too", async () => {
    const end = await claude("[[shell touch made.txt]]", { permission: "bypassPermissions" });

    expect(end).toMatchObject({ status: "completed", permissionDenials: [] });
    expect(existsSync(join(tree, "made.txt"))).toBe(true);
  });

  test("gives data that fits a schema", async () => {
    const end = await claude('[[answer {"verdict":"approve"}]]', { schema: VERDICT });

    expect(end).toMatchObject({ status: "completed", data: { verdict: "approve" } });
  });

  test.each([
    ["agent_schema_failed", '[[answer {"nope":1}]]', { schema: VERDICT }],
    ["agent_api_error", "[[status 500]]", {}],
    ["agent_api_error", "[[status 429]]", {}],
    [
      "agent_max_turns",
      "[[shell true]] [[shell true]] [[shell true]]",
      { maxTurns: 2, permission: "bypassPermissions" as const },
    ],
  ])("says %s after %s", async (type, prompt, options) => {
    const end = await claude(prompt, options);

    expect(end).toMatchObject({ status: "failed", failure: { type } });
  });

  test("names the way out when there is no credential that works", async () => {
    const end = await claude("[[status 401]]");

    expect(end.failure?.message).toContain("ANTHROPIC_API_KEY");
  });

  test("takes a prompt that looks like an option as a prompt", async () => {
    const end = await claude("--dangerously-skip-permissions -p [[shell touch made.txt]] [[say no]]");

    expect(end.status).toBe("completed");
    expect(end.permissionDenials).toHaveLength(1);
    expect(model.requests.at(-1)?.conversation.exchanges[0]?.prompt).toMatch(/^--dangerously-skip-permissions -p/);
  });

  test("does not let the repository configure it", async () => {
    mkdirSync(join(tree, ".claude"));
    const hook = { type: "command", command: `touch ${join(tree, "hooked.txt")}` };
    writeFileSync(
      join(tree, ".claude", "settings.json"),
      JSON.stringify({
        permissions: { allow: ["Bash(*)"] },
        hooks: { SessionStart: [{ hooks: [hook] }], Stop: [{ hooks: [hook] }] },
      }),
    );
    const end = await claude("[[shell touch made.txt]]");

    expect(end.permissionDenials).toHaveLength(1);
    expect(existsSync(join(tree, "hooked.txt"))).toBe(false);
    expect(existsSync(join(tree, "made.txt"))).toBe(false);
  });

  test("knows of the worker's environment only what is on the list", async () => {
    process.env.LONGHAUL_TEST_SECRET = "not-for-agents";
    await claude("[[shell env > env.txt]]", { permission: "bypassPermissions", env: { TEAM: "blue" } });
    delete process.env.LONGHAUL_TEST_SECRET;

    expect(read("env.txt")).not.toContain("not-for-agents");
    expect(read("env.txt")).toContain("TEAM=blue");
    expect(read("env.txt")).toContain("LONGHAUL_RUN_ID=run_1");
  });

  test("ends with its children when it is stopped", async () => {
    const stop = new AbortController();
    const running = claude("[[shell echo $$ > pid.txt; sleep 60]]", { permission: "bypassPermissions", signal: stop.signal });
    await until(() => existsSync(join(tree, "pid.txt")) && read("pid.txt") !== "");
    const shell = Number(read("pid.txt"));
    expect(isAlive(shell)).toBe(true);
    stop.abort();
    const end = await running;

    expect(end.status).toBe("stopped");
    expect(isAlive(shell)).toBe(false);
  });

  test("ends nothing any more once a stopped turn is over", async () => {
    const stop = new AbortController();
    const running = claude("[[shell echo $$ > pid.txt; sleep 60]]", { permission: "bypassPermissions", signal: stop.signal });
    await until(() => existsSync(join(tree, "pid.txt")) && read("pid.txt") !== "");
    stop.abort();
    await running;
    const next = spawn("sleep", ["300"], { env: { ...process.env, ...request("").marks }, detached: true, stdio: "ignore" });
    await new Promise((resolve) => setTimeout(resolve, 300));

    expect(isAlive(next.pid ?? 0)).toBe(true);
    next.kill("SIGKILL");
  });

  test("goes on with an earlier session when told its id", async () => {
    const first = await claude("[[say one]]");
    expect(first).toMatchObject({ status: "completed", text: "one" });
    const second = await claude("[[say two]]", { lineage: "run_1-2/1", resume: first.sessionId });

    expect(second).toMatchObject({ sessionId: first.sessionId, text: "two" });
    expect(model.requests.at(-1)?.conversation.exchanges.map(({ prompt }) => prompt)).toEqual(["[[say one]]", "[[say two]]"]);
  });

  test("goes on in the same session after its worker was killed in mid-turn", async () => {
    const worker = await startWorker({
      ...request("[[write once.txt 1]] [[slow 3000]] [[say Both done.]]"),
      permission: "acceptEdits",
    });
    await until(() => existsSync(join(tree, "once.txt")));
    await until(() => model.requests.length >= 2);
    process.kill(worker.pid, "SIGKILL");
    await until(() => !isAlive(worker.pid));
    const before = model.requests.length;

    const end = await claude("[[write once.txt 1]] [[slow 3000]] [[say Both done.]]", { permission: "acceptEdits" });

    expect(end).toMatchObject({ status: "completed", sessionId: sessionIdFor("run_1-1/1"), text: "Both done." });
    expect(events).toContainEqual({ type: "session", sessionId: end.sessionId, resumed: true });
    expect(events.filter(({ type }) => type === "tool")).toEqual([]);
    const conversation = model.requests[before]?.conversation;
    expect(conversation?.exchanges.map(({ prompt }) => prompt.slice(0, 8))).toEqual(["[[write ", "Continue"]);
  });

  test("learns that a command of its own was interrupted, and runs it again", async () => {
    const prompt = "[[shell touch begun; sleep 2; echo acted >> effect.txt]] [[say Done so.]]";
    const worker = await startWorker({ ...request(prompt), permission: "bypassPermissions" });
    await until(() => existsSync(join(tree, "begun")));
    process.kill(worker.pid, "SIGKILL");

    const end = await claude(prompt, { permission: "bypassPermissions" });

    expect(end).toMatchObject({ status: "completed", text: "Done so." });
    expect(read("effect.txt")).toBe("acted\n");
    expect(model.requests.at(-1)?.conversation.exchanges.map(({ prompt }) => prompt.slice(0, 8))).toEqual([
      "[[shell ",
      "Continue",
    ]);
  });

  test("says so when the earlier session is none of this run's", async () => {
    const end = await claude("[[say hi]]", { resume: "11111111-2222-8333-8444-555555555555" });

    expect(end).toMatchObject({
      status: "failed",
      failure: { type: "agent_failed", message: expect.stringContaining("session") },
    });
  });

  test("names the missing binary and the way out", async () => {
    await expect(claude("[[say hi]]", { binary: "/nowhere/claude" })).rejects.toThrow("LONGHAUL_CLAUDE_BIN");
  });
});

const VERDICT = {
  $schema: "https://json-schema.org/draft/2020-12/schema", // as zod writes it
  type: "object",
  properties: { verdict: { type: "string" } },
  required: ["verdict"],
  additionalProperties: false,
};

let model: ModelServer;
let folder: string;
let tree: string;
let events: AgentEvent[];
const kept = { url: process.env.ANTHROPIC_BASE_URL, key: process.env.ANTHROPIC_API_KEY };

beforeAll(async () => {
  model = await startModelServer();
  process.env.ANTHROPIC_BASE_URL = model.url;
  process.env.ANTHROPIC_API_KEY = "test-key-of-nobody";
});
afterAll(async () => {
  restore("ANTHROPIC_BASE_URL", kept.url);
  restore("ANTHROPIC_API_KEY", kept.key);
  await model.stop();
});
beforeEach(() => {
  model.requests.length = 0;
  events = [];
  folder = mkdtempSync(join(tmpdir(), "longhaul-claude-"));
  tree = join(folder, "tree");
  execFileSync("git", ["init", "-q", "-b", "main", tree]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));

function request(prompt: string): Omit<ClaudeRequest, "signal" | "watch"> {
  return {
    prompt,
    cwd: tree,
    permission: "default",
    configDir: join(folder, "agents", "claude"),
    sessionFile: join(folder, "agents", "run_1-1.json"),
    lineage: "run_1-1/1",
    marks: { LONGHAUL_RUN_ID: "run_1", LONGHAUL_OPERATION: `${process.pid}/1` },
  };
}

function claude(prompt: string, options: Partial<ClaudeRequest> = {}) {
  return runClaude({
    ...request(prompt),
    signal: new AbortController().signal,
    watch: (event) => {
      if (event.type !== "alive") events.push(event);
    },
    ...options,
  });
}

/** A process that does the same and can be killed, as a worker can. */
async function startWorker(options: Omit<ClaudeRequest, "signal" | "watch">): Promise<{ pid: number }> {
  const cache = fileURLToPath(new URL("../../node_modules/.cache/longhaul-test/", import.meta.url));
  mkdirSync(cache, { recursive: true });
  const script = join(mkdtempSync(join(cache, "worker-")), "worker.mjs");
  await build({
    stdin: {
      contents: `
        import { runClaude } from "./claude.js";
        process.once("message", (request) =>
          runClaude({ ...request, signal: new AbortController().signal, watch: () => {} }));
      `,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile: script,
  });
  const child = fork(script, { stdio: "inherit" });
  child.send(options);
  child.once("exit", () => rmSync(join(script, ".."), { recursive: true, force: true }));
  return { pid: child.pid ?? 0 };
}

function read(file: string): string {
  return readFileSync(join(tree, file), "utf8");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  if (!holds()) throw new Error("It did not come to this in 20 seconds.");
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}
