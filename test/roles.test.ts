// Roles, profiles, skills and servers: files of the project, from the words of a workflow to the model's request.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { listComments } from "../db/comments.js";
import { listLogLines } from "../db/log-lines.js";
import type { ModelServer } from "../local/model-server.js";
import { type Longhaul, longhaul, type RunRow, type StartOptions } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";
import { EVERYTHING } from "./support/tool-project.js";

let stack: Longhaul;
let model: ModelServer;
beforeAll(async () => {
  model = await scriptedModel();
  stack = await longhaul();
  save("agents/tester.md", "---\nmodel: claude-of-role-1\npermission: plan\nskills: [tidy]\n---\nYou break things.");
  save("profiles/free.md", "---\npermission: acceptEdits\n---\nAsk nobody.");
  save("skills/tidy/SKILL.md", "---\nname: tidy\ndescription: On tidiness\n---\nSort the imports.");
  save("skills/terse/SKILL.md", "---\nname: terse\ndescription: On length\n---\nOne sentence.");
});

describe("an agent's step", { timeout: 60_000 }, () => {
  test("of stages works by the files that it names, and the step beats the profile, which beats the role", async () => {
    const row = await stages(`
code: { role: tester, prompt: "[[write role.txt x]] [[say By the role.]]" }
check: { role: tester, profile: free, skills: [terse], model: claude-of-step-1, prompt: "[[write profile.txt x]] [[say By the profile.]]" }`);

    expect(row.steps.map(({ output }) => output)).toMatchObject([
      {
        filesChanged: [],
        instructionFiles: [
          { name: "tester", sha256: expect.any(String) },
          { kind: "skill", name: "tidy" },
        ],
      },
      { filesChanged: ["profile.txt"], instructionFiles: [{ name: "tester" }, { name: "free" }, { name: "terse" }] },
    ]);
    expect(row.steps.map(({ session }) => [session?.agent, session?.usage])).toMatchObject([
      ["claude", { model: "claude-of-role-1" }],
      ["claude", { model: "claude-of-step-1" }],
    ]);
    expect(systemOf("By the role.")).toMatch(/You break things\.[\s\S]*Sort the imports\./);
    expect(systemOf("By the profile.")).toMatch(/You break things\.\n\nAsk nobody\.[\s\S]*One sentence\./);
    expect(systemOf("By the profile.")).not.toContain("Sort the imports.");
  });

  test("of TypeScript does, too", async () => {
    const row = await ended(
      `import { defineWorkflow } from "longhaul";
      export default defineWorkflow({ name: "in-role", async execute(ctx) {
        await ctx.agent("look", { prompt: "[[say By ctx.agent.]]", role: "tester", skills: [] });
        await ctx.step("do", { type: "agent", prompt: "[[say By ctx.step.]]", profile: "free", skills: ["terse"] });
      } });`,
      { ending: ".ts" },
    );

    expect(row.steps.map(({ input }) => input)).toMatchObject([{ role: "tester" }, { profile: "free" }]);
    expect(row.steps.map(({ output }) => output)).toMatchObject([
      { instructionFiles: [{ path: ".agent/agents/tester.md" }] },
      { instructionFiles: [{ name: "free" }, { name: "terse" }] },
    ]);
    expect(systemOf("By ctx.agent.")).toContain("You break things.");
    expect(systemOf("By ctx.step.")).toContain("Ask nobody.");
  });

  test("is given the servers of the project that it names", async () => {
    save("mcp.json", JSON.stringify({ mcpServers: { tickets: { command: "node", args: [EVERYTHING, "stdio"] } } }));
    const echo = (message: string) => `[[tool mcp__tickets__echo {"message":"${message}"}]]`;
    const runs = await Promise.all([
      ended(`name: served\nsteps: [{ id: look, type: agent, mcp_servers: [tickets], prompt: '${echo("by the plan")}' }]`),
      ended(
        `import { defineWorkflow } from "longhaul";
        export default defineWorkflow({ name: "served-by-code", async execute(ctx) {
          await ctx.agent("look", { prompt: '${echo("by ctx.agent")}', mcpServers: ["tickets"] });
          await ctx.step("do", { type: "agent", prompt: '${echo("by ctx.step")}', mcpServers: ["tickets"] });
        } });`,
        { ending: ".ts" },
      ),
    ]);

    expect(runs.flatMap(({ steps }) => steps.map(({ input }) => input))).toMatchObject(
      Array(3).fill({ mcpServers: ["tickets"] }),
    );
    const told = model.requests.flatMap(({ conversation }) => conversation.exchanges.flatMap(({ results }) => results));
    for (const way of ["the plan", "ctx.agent", "ctx.step"]) {
      expect(told).toContainEqual(expect.objectContaining({ text: `Echo: by ${way}` }));
    }
  });

  test("in a role without a file is told the word by the default agent, with a warning on the run and in the step's log", async () => {
    const row = await ended(`
name: word
steps:
  - { key: look, agent: security, prompt: "[[say By the word.]]" }
  - { key: again, agent: security, prompt: "[[status 400]]", dependencies: [look], optional: true }
  - { key: known, agent: tester, prompt: "[[say By the file.]]", dependencies: [again] }`);

    expect(row.steps[0]).toMatchObject({ input: { role: "security" }, output: { text: "By the word." } });
    expect(row.steps[0]?.session?.agent).toBe("claude");
    expect(systemOf("By the word.")).toContain("You work as the security specialist");
    expect((await listComments(stack.db, row.id, { limit: 100 })).items).toMatchObject([
      { step_id: row.steps[0]?.id, text: 'The role "security" has no file in .agent/agents: the agent was told the word alone.' },
    ]);
    await expect.poll(() => warningsOf(row)).toContainEqual(expect.stringContaining("no file .agent/agents/security.md"));
  });

  test("with a profile without a file fails, and nothing is asked", async () => {
    const before = model.requests.length;
    const row = await stages("code: strict");

    expect(row).toMatchObject({
      status: "failed",
      error: { type: "agent_files_invalid", message: expect.stringContaining(".agent/profiles/strict.md") },
    });
    expect(model.requests).toHaveLength(before);
  });
});

function stages(text: string): Promise<RunRow> {
  return ended(`name: Files\nstages: [code, check]\n${text}`, { ending: ".workflow.yml" });
}

async function ended(source: string, options: StartOptions = {}): Promise<RunRow> {
  return (await stack.start(source, { ending: ".yaml", ...options })).finished(50_000);
}

/** The system prompt of the last request whose prompt has these words. */
function systemOf(words: string): string | undefined {
  const asked = model.requests.findLast(({ conversation }) => conversation.exchanges[0]?.prompt.includes(words));
  return asked?.conversation.system;
}

async function warningsOf({ id }: RunRow): Promise<string[]> {
  const { items } = await listLogLines(stack.db, id, { level: "warn", limit: 100 });
  return items.map(({ text }) => text);
}

/** A file of the project's `.agent`. */
function save(path: string, text: string): void {
  const file = join(stack.project, ".agent", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
