import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Call, RunRef } from "../../contract/activity.js";
import type { LogChunk } from "../../contract/log.js";
import { type ModelServer, startModelServer } from "../../local/model-server.js";
import { callOf } from "../../test/support/activity.js";
import { whole } from "../../test/support/agent-steps.js";
import { openGit } from "../git-client.js";
import { Journal } from "../journal.js";
import { shell } from "../shell.js";
import { snapshotTree } from "../snapshot.js";
import { type AgentDeps, type AgentInput, createAgentActivity } from "./index.js";

const RUN = `run_agent${process.pid}`;

describe("an agent step", { timeout: 30_000 }, () => {
  test("answers, and lists the files it changed", async () => {
    const { value } = await agent("[[write src/new.js x]] [[edit README.md first => second]] [[say Done so.]]", {
      permission: "bypassPermissions",
    });

    expect(value).toMatchObject({ text: "Done so.", filesChanged: ["README.md", "src/new.js"], permissionDenials: [] });
    expect(value.usage.cost_usd).toBeGreaterThan(0);
  });

  test("leaves its session with the whole transcript, and its tool calls", async () => {
    const { value, sessions, artifacts, tool_calls } = await agent("[[shell echo hi]] [[say Done so.]]", {
      name: "greeter",
      permission: "bypassPermissions",
    });

    const path = sessions?.[0]?.session_file_path ?? "";
    expect(sessions).toMatchObject([
      { id: `${RUN}-1-s1`, name: "greeter", agent: "claude", status: "completed", provider_session_id: value.sessionId },
    ]);
    expect(artifacts).toMatchObject([{ type: "session_file", agent_session_id: `${RUN}-1-s1`, file_path: path }]);
    expect(readFileSync(join(root, path), "utf8")).toContain("Done so.");
    expect(tool_calls).toMatchObject([
      { id: `${RUN}-1-s1-t1`, tool: "Bash", input: { command: "echo hi" }, output: "hi", is_error: false },
    ]);
  });

  test("shows text and tool calls in the log while it works", async () => {
    await agent("[[shell echo hi]] [[write src/new.js x]] [[say Done so.]]", { permission: "bypassPermissions" });

    const log = chunks.map(({ text }) => text).join("");
    expect(log).toContain("> Bash echo hi\n> Write src/new.js\n");
    expect(log).toContain("Done so.\n");
  });

  test("keeps Claude Code's settings and transcripts out of the tree", async () => {
    await agent("[[say hi]]");

    expect(existsSync(join(deps.home, "agents", RUN, "claude"))).toBe(true);
    expect(execFileSync("git", ["-C", tree, "status", "--porcelain"], { encoding: "utf8" })).toBe("");
  });

  test("fails with what the payload says, and keeps the answer and the session", async () => {
    await expect(agent("[[status 500]]")).rejects.toMatchObject({
      type: "agent_api_error",
      nonRetryable: true,
      message: expect.stringContaining("The script answers 500"),
      details: [{ output: { sessionId: expect.any(String), filesChanged: [] }, sessions: [{ status: "failed" }] }],
    });
  });

  test("fails a plan step that changed the tree all the same, puts the tree back and keeps what was written", async () => {
    const planning = agent("[[slow 1500]] [[say a plan]]", { permission: "plan" });
    planning.catch(() => {}); // looked at below
    await turnBegun();
    writeFileSync(join(tree, "sneaked.txt"), "x");

    const ref = `refs/longhaul/${RUN}/plan-1-s1`;
    await expect(planning).rejects.toMatchObject({
      type: "plan_wrote_files",
      message: `A step that may only plan changed the tree: sneaked.txt. The tree is as it was before; what was written is kept as ${ref}.`,
    });
    expect(existsSync(join(tree, "sneaked.txt"))).toBe(false);
    expect(execFileSync("git", ["-C", tree, "show", `${ref}:sneaked.txt`], { encoding: "utf8" })).toBe("x");
  });

  test("puts the tree back after a plan that was cancelled, too, and says so in the log", async () => {
    const planning = agent("[[hang]]", { permission: "plan" });
    planning.catch(() => {}); // looked at below
    await turnBegun();
    writeFileSync(join(tree, "sneaked.txt"), "x");
    environment.cancel("CANCELLED");

    await expect(planning).rejects.toMatchObject({
      name: "CancelledFailure",
      details: [{ output: { filesChanged: ["sneaked.txt"] } }],
    });
    expect(existsSync(join(tree, "sneaked.txt"))).toBe(false);
    expect(chunks.map(({ text }) => text).join("")).toContain(`kept as refs/longhaul/${RUN}/plan-1-s1.`);
  });

  test("puts nothing back where a step has left something that its lost worker knew of alone", async () => {
    const planning = agent("[[slow 4000]] [[say a plan]]", { permission: "plan" });
    planning.catch(() => {}); // looked at below
    await turnBegun();
    writeFileSync(join(tree, "other.txt"), "x");
    await snapshotTree(await openGit(tree), RUN, 2);

    await expect(planning).rejects.toThrow("It was left as it is, as others worked in the tree meanwhile.");
    expect(existsSync(join(tree, "other.txt"))).toBe(true);
  });

  test("puts nothing back where another step worked in the tree meanwhile", async () => {
    const planning = agent("[[slow 4000]] [[say a plan]]", { permission: "plan" });
    planning.catch(() => {}); // looked at below
    await turnBegun();
    await asActivity(() => shell(deps, callOf(run(), { command: "touch other.txt" }, { number: 2 })));

    await expect(planning).rejects.toThrow("It was left as it is, as others worked in the tree meanwhile.");
    expect(existsSync(join(tree, "other.txt"))).toBe(true);
  });

  test("is ended when it takes too long, or is silent too long", async () => {
    await expect(agent("[[shell sleep 60]]", { permission: "bypassPermissions" }, { timeoutMs: 1_500 })).rejects.toMatchObject({
      type: "timed_out",
      details: [{ sessions: [{ status: "cancelled" }] }],
    });
    await expect(
      agent("[[shell sleep 60]]", { permission: "bypassPermissions" }, { idleTimeoutMs: 1_500 }),
    ).rejects.toMatchObject({
      type: "idle_timed_out",
    });
  });

  test("shows nobody the credential it works with", async () => {
    const { value, tool_calls } = await agent("[[shell echo $ANTHROPIC_API_KEY]] [[say test-key-of-nobody]]", {
      permission: "bypassPermissions",
    });

    const everything = JSON.stringify([value, tool_calls, chunks]) + readFileSync(join(root, transcript()), "utf8");
    expect(everything).not.toContain("test-key-of-nobody");
    expect(value.text).toBe("***");
  });

  test("keeps very many tool calls small enough for a history", async () => {
    const { tool_calls } = await agent(`${"[[shell head -c 3000 /dev/zero | tr '\\0' x]]".repeat(20)} [[say Done so.]]`, {
      permission: "bypassPermissions",
    });

    expect(tool_calls).toHaveLength(20);
    expect(JSON.stringify(tool_calls).length).toBeLessThan(32_000);
    expect(tool_calls?.[0]?.output).toMatch(/^x+ … \(3000 characters\)$/);
  });

  test("is told what the files of its role, profile and skills say, and works with their model and permission", async () => {
    save(
      "agents/critic.md",
      "---\nmodel: claude-of-role-1\npermission: acceptEdits\nskills: [tidy]\n---\nYou trust no test that cannot fail.",
    );
    save("profiles/careful.md", "---\npermission: plan\n---\nChange nothing.");
    save("skills/tidy/SKILL.md", "---\nname: tidy\ndescription: How we tidy up\n---\nSort the imports.");
    const { value, tree: left } = await agent("[[write made.txt x]] [[say Looked.]]", {
      role: "critic",
      profile: "careful",
      systemPrompt: "Be brief.",
    });

    const { conversation } = model.requests.at(-1)!;
    expect(conversation).toMatchObject({ model: "claude-of-role-1" });
    expect(conversation.system).toContain(
      "You trust no test that cannot fail.\n\nChange nothing.\n\n" +
        '<skill name="tidy">\nHow we tidy up\n\nSort the imports.\n</skill>\n\nBe brief.',
    );
    expect(value).toMatchObject({ filesChanged: [], permissionDenials: [{ tool: "Write" }] });
    expect(value.instructionFiles?.map(({ path }) => path)).toEqual([
      ".agent/agents/critic.md",
      ".agent/profiles/careful.md",
      ".agent/skills/tidy/SKILL.md",
    ]);
    expect(left).toBeUndefined(); // it may only plan
  });

  test("asks nothing when a file that it needs is not there", async () => {
    const before = model.requests.length;

    await expect(agent("[[say hi]]", { profile: "strict" })).rejects.toMatchObject({
      type: "agent_files_invalid",
      message: 'There is no file .agent/profiles/strict.md in the project, and the step names the profile "strict".',
    });
    expect(model.requests).toHaveLength(before);
  });

  test("refuses what the agent cannot do before it is asked anything", async () => {
    await expect(agent("[[say hi]]", { provider: "codex", maxTurns: 3 })).rejects.toMatchObject({
      type: "agent_unsupported",
      message: expect.stringContaining('use "claude"'),
    });
    expect(model.requests).toEqual([]);
  });

  test("says which package lacks when Claude Code is not there", async () => {
    deps.claudeBin = "/nowhere/claude";

    await expect(agent("[[say hi]]")).rejects.toMatchObject({ type: "agent_not_installed" });
  });
});

let model: ModelServer;
let root: string;
let tree: string;
let activity: number;
/** Of the activity that began last. */
let environment: MockActivityEnvironment;
let chunks: LogChunk[];
let deps: AgentDeps;
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
  root = realpathSync(mkdtempSync(join(tmpdir(), "longhaul-agent-")));
  tree = join(root, "tree");
  execFileSync("git", ["init", "-q", "-b", "main", tree]);
  writeFileSync(join(tree, "README.md"), "first\n");
  const git = ["-C", tree, "-c", "user.name=a", "-c", "user.email=a@example.com"];
  execFileSync("git", [...git, "add", "."]);
  execFileSync("git", [...git, "commit", "-qm", "first"]);
  chunks = [];
  model.requests.length = 0;
  activity = 0;
  deps = {
    home: join(root, "home"),
    journal: new Journal(join(root, "journal")),
    log: { append: async (more) => void chunks.push(...more) },
    graceMs: 1_000,
    snapshotTree: async () => ({ commit: "c", tree: "t", shared: false }),
    allowBypass: true,
  };
});
afterEach(async () => {
  await deps.journal.stop();
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

/** The tree has been looked at, and the model has been asked. */
async function turnBegun(): Promise<void> {
  await vi.waitFor(() => expect(model.requests).not.toEqual([]), { timeout: 20_000 });
}

function run(): RunRef {
  return { run_id: RUN, project_id: "prj_1", project_path: root, workspace: { mode: "worktree", path: tree, base_branch: null } };
}

async function agent(prompt: string, input: Partial<AgentInput> = {}, limits: Partial<Call<unknown>> = {}) {
  const call: Call<AgentInput> = {
    run: run(),
    step: { id: `${RUN}-1`, number: 1, key: "work", name: "work", phase: null, kind: "agent", iteration: 1 },
    attempt: 1,
    ...limits,
    input: { provider: "claude", prompt, ...input },
  };
  return whole(await asActivity(() => createAgentActivity(deps)(call)));
}

function asActivity<Value>(work: () => Promise<Value>): Promise<Value> {
  environment = new MockActivityEnvironment({ activityId: String(++activity) }, { logger: new DefaultLogger("ERROR") });
  return environment.run(work);
}

/** A file of the project's `.agent`. */
function save(path: string, text: string): void {
  const file = join(root, ".agent", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function transcript(): string {
  return `.agent/workflows/executions/${RUN}/artifacts/1-s1.jsonl`;
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}
