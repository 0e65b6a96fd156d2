import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../../contract/json.js";
import { type ModelServer, startModelServer } from "../../../local/model-server.js";
import { GitProject, git } from "../../../test/support/git-project.js";
import { testFolder } from "../../../test/support/stack.js";
import { ToolProject } from "../../../test/support/tool-project.js";
import { agentServer } from "./index.js";

let model: ModelServer;
let project: GitProject;
let tools: ToolProject;
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
  project = new GitProject();
  const home = join(testFolder(), "home");
  tools = new ToolProject({ builtIn: new Map([["agent", () => agentServer({ ...tools.deps, home })]]) });
});
afterEach(async () => {
  await tools.stop();
  project.remove();
});

const use = (tool: string, params: JsonObject) => tools.use(`agent.${tool}`, params, { path: project.path });
const answer = (value: object) => `[[answer ${JSON.stringify(value)}]]`;

describe("the agent's abilities as tools", { timeout: 60_000 }, () => {
  test("analyze gives an answer whose fields can be named", async () => {
    const analysis = {
      description: "The port is taken.",
      root_cause: "Two servers.",
      fix_description: "Another port.",
      fix: "Set PORT.",
      affected_files: ["config.ts"],
      confidence: "high",
    };
    const { value, sessions, tool_calls } = await use("analyze", {
      prompt: `Why does it not start? ${answer(analysis)}`,
      context: { log: "EADDRINUSE" },
    });

    expect(value).toEqual(analysis);
    expect(sessions).toMatchObject([{ name: "agent.analyze", status: "completed" }]);
    expect(tool_calls?.at(-1)).toMatchObject({ tool: "agent.analyze", output: analysis });
    expect(model.requests.at(-1)?.conversation.exchanges[0]?.prompt).toContain(
      '<context>\n{\n  "log": "EADDRINUSE"\n}\n</context>',
    );
  });

  test("analyze answers in the shape that is asked for", async () => {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: { done: { type: "boolean" } },
      required: ["done"],
    };

    expect((await use("analyze", { prompt: `Is it done? ${answer({ done: true })}`, schema })).value).toEqual({ done: true });
  });

  test("others have answers of their own", async () => {
    const review = { summary: "Good.", event: "APPROVE", comments: [{ path: "README.md", line: 1, body: "Nice." }] };
    expect((await use("reviewCode", { diff: { diff: "+x", truncated: false }, context: answer(review) })).value).toEqual(review);

    const kind = { type: "bug", priority: "high", category: "start", suggested_labels: ["bug"], notes: "" };
    expect((await use("classifyIssue", { title: "It does not start", body: answer(kind), labels: [] })).value).toEqual(kind);

    const summary = { title: "A start", summary: "It begins.", points: [] };
    expect((await use("summarize", { text: answer(summary) })).value).toEqual(summary);
  });

  test("may be asked in a role, by its file, which allows a reader no more", async () => {
    mkdirSync(join(project.path, ".agent/agents"), { recursive: true });
    writeFileSync(
      join(project.path, ".agent/agents/editor.md"),
      "---\nmodel: claude-of-role-1\npermission: acceptEdits\n---\nYou cut words.",
    );
    const text = `[[write sneaked.txt x]] ${answer({ title: "t", summary: "s", points: [] })}`;

    await use("summarize", { text, role: "editor" });

    expect(model.requests.at(-1)?.conversation).toMatchObject({
      model: "claude-of-role-1",
      system: expect.stringContaining("You cut words."),
    });
    expect(readdirSync(project.path)).not.toContain("sneaked.txt");
    await expect(use("summarize", { text, profile: "strict" })).rejects.toMatchObject({ type: "agent_files_invalid" });
  });

  test("readers change nothing in the tree", async () => {
    const { value } = await use("summarize", {
      text: `[[write sneaked.txt x]] ${answer({ title: "t", summary: "s", points: [] })}`,
    });

    expect(value).toMatchObject({ title: "t" });
    expect(readdirSync(project.path)).not.toContain("sneaked.txt");
  });

  test("applyFix changes files, and with a branch commits and pushes them there", async () => {
    git(project.remote, "branch", "fix/1", "main");
    const fix = `[[write NOTES.md fixed]] ${answer({ summary: "Notes.", breaking_changes: "", complete: true })}`;

    const { value } = await use("applyFix", { fix, branch: "fix/1", message: "Add notes" });

    expect(value).toMatchObject({ summary: "Notes.", complete: true, branch: "fix/1", pushed: true });
    expect(git(project.remote, "show", "fix/1:NOTES.md")).toBe("fixed");
    expect(git(project.remote, "log", "-1", "--format=%s", "fix/1")).toBe("Add notes");
  });

  test("fail as an agent's step does", async () => {
    await expect(use("analyze", { prompt: "[[status 500]]" })).rejects.toMatchObject({
      type: "agent_api_error",
      details: [{ sessions: [{ status: "failed" }] }],
    });
    await expect(use("analyze", { prompt: "[[say no]]" })).rejects.toMatchObject({ type: "agent_schema_failed" });
  });
});

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}
