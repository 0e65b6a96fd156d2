import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Call } from "../../contract/activity.js";
import type { LogChunk } from "../../contract/log.js";
import { DEFAULT_SETTINGS, type ProjectSettings } from "../../contract/project-settings.js";
import { packageRoot } from "../../package-root.js";
import { testFolder } from "../../test/support/stack.js";
import { LogStream } from "../log-stream.js";
import type { AgentInput } from "./index.js";
import { type AgentTask, withInstructions } from "./role.js";

const SKILL = "---\nname: tidy\ndescription: How we tidy up\n---\nSort the imports.";

describe("an agent's role", () => {
  test("is the text of its file, with the model, permission and skills that the file says", async () => {
    save("skills/tidy/SKILL.md", SKILL);
    const text = `---
description: Looks for holes
provider: claude-code
model: opus
permission: plan
skills: [tidy]
---

You think as an attacker does.
`;
    save("agents/security.md", text);

    expect(await told({ role: "security" })).toMatchObject({
      provider: "claude",
      model: "opus",
      permission: "plan",
      systemPrompt: 'You think as an attacker does.\n\n<skill name="tidy">\nHow we tidy up\n\nSort the imports.\n</skill>',
      instructionFiles: [
        { kind: "role", name: "security", path: ".agent/agents/security.md", sha256: sha256(text) },
        { kind: "skill", name: "tidy", path: ".agent/skills/tidy/SKILL.md", sha256: sha256(SKILL) },
      ],
    });
  });

  test("may be what the documents show", async () => {
    const [, text = ""] = /```md\n([\s\S]*?)```/.exec(readFileSync(join(packageRoot, "docs/workflows.md"), "utf8")) ?? [];
    save("agents/security.md", text);
    save("skills/review/SKILL.md", SKILL.replace("tidy", "review"));

    expect(await told({ role: "security" })).toMatchObject({
      model: "opus",
      systemPrompt: expect.stringMatching(/^You think as an attacker does\. /),
    });
  });

  test("may be a text without front matter, and may come from Windows", async () => {
    save("agents/plain.md", "You are brief.\n");
    save("agents/windows.md", "---\r\nmodel: opus\r\n---\r\nYou are\r\nbrief.\r\n");

    expect(await told({ role: "plain" })).toMatchObject({ provider: "claude", systemPrompt: "You are brief." });
    expect(await told({ role: "windows" })).toMatchObject({ model: "opus", systemPrompt: "You are\nbrief." });
  });

  test.each(["security", "database expert", "../mcp"])("%j, without a file, is the word alone, and a warning", async (role) => {
    const task = await told({ role, systemPrompt: "Be brief." });

    expect(task).toEqual({
      provider: "claude",
      prompt: "p",
      role,
      systemPrompt: `You work as the ${role} specialist of a software team.\n\nBe brief.`,
    });
    expect(chunks).toMatchObject([{ level: "warn", text: expect.stringContaining(`The role "${role}" has no file`) }]);
  });

  test("is the word, too, when its file has settings and no text", async () => {
    save("agents/writer.md", "---\nmodel: haiku\n---\n");

    expect(await told({ role: "writer" })).toMatchObject({
      model: "haiku",
      systemPrompt: "You work as the writer specialist of a software team.",
    });
  });

  test("is that of the project, whatever an agent has written into the run's tree", async () => {
    save("agents/security.md", "As the project says.");
    save("agents/security.md", "As an agent says.", join(project, "tree"));

    expect(await told({ role: "security" })).toMatchObject({ systemPrompt: "As the project says." });
  });
});

describe("what the step says beats the profile, which beats the role, which beats the defaults", () => {
  const role = { role: "security" };
  const both = { ...role, profile: "strict" };

  beforeEach(() => {
    for (const name of ["one", "two", "three"]) {
      save(`skills/${name}/SKILL.md`, `---\nname: ${name}\ndescription: ${name}\n---\nThe text of ${name}.`);
    }
    save("agents/security.md", "---\nmodel: r\npermission: plan\nskills: [one]\n---\nThe role.");
    save("profiles/strict.md", "---\nmodel: p\npermission: default\nskills: [two]\n---\nThe profile.");
    save("profiles/bare.md", "The bare profile.");
  });

  test.each<[Partial<AgentInput>, Partial<AgentTask>, string[]]>([
    [{ defaultPermission: "acceptEdits" }, { permission: "acceptEdits" }, []],
    [{ ...role, defaultPermission: "acceptEdits" }, { model: "r", permission: "plan" }, ["one"]],
    [{ ...role, profile: "bare" }, { model: "r", permission: "plan" }, ["one"]],
    [both, { model: "p", permission: "default" }, ["two"]],
    [{ ...both, model: "s", permission: "acceptEdits" }, { model: "s", permission: "acceptEdits" }, ["two"]],
    [{ ...both, skills: ["three", "one", "three"] }, { model: "p" }, ["three", "one"]],
    [{ ...both, skills: [] }, { model: "p" }, []],
    [{ profile: "default" }, {}, []],
  ])("%j", async (input, expected, skills) => {
    const task = await told(input);

    expect(task).toMatchObject(expected);
    expect((task.instructionFiles ?? []).flatMap(({ kind, name }) => (kind === "skill" ? [name] : []))).toEqual(skills);
    expect([...(task.systemPrompt ?? "").matchAll(/The text of (\w+)/g)].map(([, name]) => name)).toEqual(skills);
  });

  test("and all their texts are told: role, profile, skills, then the step's", async () => {
    const { systemPrompt } = await told({ ...both, systemPrompt: "The step." });

    expect(systemPrompt).toMatch(/^The role\.\n\nThe profile\.\n\n<skill name="two">[\s\S]*<\/skill>\n\nThe step\.$/);
  });
});

describe("the step fails before anything is asked", () => {
  test.each<[string, Partial<AgentInput>, string]>([
    ["a profile has no file", { profile: "strict" }, "no file .agent/profiles/strict.md in the project, and the step names"],
    ["a skill has no file", { skills: ["tidy"] }, "no file .agent/skills/tidy/SKILL.md in the project, and the step names"],
    ["a profile is no name", { profile: "../agents/x" }, 'A profile cannot be called "../agents/x"'],
    ["a profile's name is empty", { profile: "" }, 'A profile cannot be called ""'],
    ["a skill is no name", { skills: ["a/b"] }, 'A skill cannot be called "a/b"'],
    ["a skill is a folder above", { skills: [".."] }, 'A skill cannot be called ".."'],
  ])("when %s", async (_what, input, message) => {
    await expect(told(input)).rejects.toMatchObject({
      type: "agent_files_invalid",
      message: expect.stringContaining(message),
    });
  });

  test("when a role names a skill without a file, and says which file names it", async () => {
    save("agents/security.md", "---\nskills: [tidy]\n---\n");

    await expect(told({ role: "security" })).rejects.toThrow(
      'no file .agent/skills/tidy/SKILL.md in the project, and .agent/agents/security.md names the skill "tidy"',
    );
  });

  test.each([
    ["---\nprovder: claude\n---\n", '.agent/agents/r.md:2:1 Unknown key "provder"', 'Did you mean "provider"?'],
    ["---\nhooks: {}\n---\n", 'Unknown key "hooks"', "Known are description, provider, model, permission, skills."],
    ["---\n\nprovider: 'acp:'\n---\n", '.agent/agents/r.md:3:11 "acp:" names no command', ""],
    ["---\nprovider: clyde\n---\n", '.agent/agents/r.md:2:11 No agent is called "clyde"', 'Did you mean "claude"?'],
    ["---\npermission: acceptEdit\n---\n", "one of default, plan, acceptEdits", 'Did you mean "acceptEdits"?'],
    ["---\nskills: [../x]\nmodel: 3\n---\n", 'r.md:2:10 Each of "skills"', 'r.md:3:8 "model" must be a text'],
    ["---\nmodel: opus\nNo end", "r.md:1:1 The front matter that begins here has no end", ""],
    ["---\n- model\n---\n", "r.md:2:1", "a map of keys and values"],
    ["---\nmodel: [\n---\n", "r.md:", "]"],
    [Buffer.from([0xff, 0xfe, 0x41]), "r.md is no text in UTF-8", ""],
  ])("when a role's file says %j", async (text, ...parts) => {
    save("agents/r.md", text);

    const failure = await told({ role: "r" }).then(
      () => "none",
      (error: Error) => error.message,
    );
    for (const part of parts) expect(failure).toContain(part);
  });

  test("when a profile names a provider", async () => {
    save("profiles/r.md", "---\npermission: plan\nprovider: claude\n---\n");

    await expect(told({ profile: "r" })).rejects.toThrow(
      '.agent/profiles/r.md:3:1 Unknown key "provider" in the front matter of a profile',
    );
  });

  test.each([
    ["---\nname: tidy\n---\nText", '"description" is missing'],
    ["---\nname: neat\ndescription: d\n---\nText", 'must be that of its folder, "tidy"'],
    ["---\nname: tidy\ndescription: d\n---\n", "Nothing stands below its front matter"],
    ["Text", '"name" is missing'],
  ])("when a skill's file says %j", async (text, message) => {
    save("skills/tidy/SKILL.md", text);

    await expect(told({ skills: ["tidy"] })).rejects.toThrow(message);
  });

  test("when a file is a link out of the project, or no file", async () => {
    writeFileSync(join(outside, "role.md"), "Not the project's.");
    save("agents/inside.md", "The project's.");
    symlinkSync(join(outside, "role.md"), join(project, ".agent/agents/linked.md"));
    symlinkSync("inside.md", join(project, ".agent/agents/other.md"));
    mkdirSync(join(project, ".agent/agents/folder.md"));
    symlinkSync(outside, join(project, ".agent/profiles"));

    await expect(told({ role: "linked" })).rejects.toThrow(".agent/agents/linked.md is a link that leads out of the project");
    await expect(told({ profile: "role" })).rejects.toThrow(".agent/profiles/role.md is a link that leads out of the project");
    await expect(told({ role: "folder" })).rejects.toThrow(".agent/agents/folder.md is no file");
    expect(await told({ role: "other" })).toMatchObject({ systemPrompt: "The project's." });
  });

  test("when a file is larger than 64 KiB, or all together are larger than 256", async () => {
    save("agents/large.md", "x".repeat(64 * 1024));
    save("agents/larger.md", "x".repeat(64 * 1024 + 1));
    const skills = ["a", "b", "c", "d", "e"];
    for (const name of skills) save(`skills/${name}/SKILL.md`, `---\nname: ${name}\ndescription: d\n---\n${"y".repeat(60_000)}`);

    expect((await told({ role: "large" })).systemPrompt).toHaveLength(64 * 1024);
    await expect(told({ role: "larger" })).rejects.toThrow(".agent/agents/larger.md is larger than 64 KiB");
    await expect(told({ skills })).rejects.toThrow("256 KiB in all");
  });
});

test("skills made for other programs are taken, and what those would allow is not", async () => {
  save("skills/tidy/SKILL.md", SKILL.replace("---\nSort", "license: MIT\nallowed-tools: Bash\nmetadata: { by: us }\n---\nSort"));
  const { permission, systemPrompt } = await told({ skills: ["tidy"] });

  expect(permission).toBeUndefined();
  expect(systemPrompt).toContain("Sort the imports.");
  expect(systemPrompt).not.toContain("Bash");
});

test("who names no agent, nor has a role that does, gets the project's", async () => {
  save("agents/painter.md", "---\nprovider: claude\n---\nPaint.");

  expect((await told({}, { default_provider: "codex" })).provider).toBe("codex");
  expect((await told({ role: "nobody" }, { default_provider: "codex" })).provider).toBe("codex");
  expect((await told({ role: "painter" }, { default_provider: "codex" })).provider).toBe("claude");
  expect((await told({ provider: "claude" }, { default_provider: "codex" })).provider).toBe("claude");
  await expect(told({}, { default_provider: "gone" })).rejects.toThrow("The project's default_provider: No agent is called");
});

test("what was read is in the step's log", async () => {
  save("agents/security.md", "You think as an attacker does.");
  await told({ role: "security" });

  const sum = sha256("You think as an attacker does.");
  expect(chunks).toMatchObject([{ level: "info", text: `(role security: .agent/agents/security.md, sha256 ${sum})\n` }]);
});

let project: string;
let outside: string;
let chunks: LogChunk[];

beforeEach(() => {
  [project, outside] = [testFolder(), testFolder()];
  chunks = [];
});

/** What the agent of a step is told. */
async function told(input: Partial<AgentInput>, settings: Partial<ProjectSettings> = {}): Promise<AgentTask> {
  const log = new LogStream(
    { append: async (more) => void chunks.push(...more) },
    { run_id: "run_1", step_id: "run_1-1", attempt: 1 },
  );
  const call: Call<AgentInput> = {
    run: {
      run_id: "run_1",
      project_id: "prj_1",
      project_path: project,
      workspace: { mode: "worktree", path: join(project, "tree"), base_branch: null },
    },
    step: { id: "run_1-1", number: 1, key: "work", name: "work", phase: null, kind: "agent", iteration: 1 },
    attempt: 1,
    input: { prompt: "p", ...input },
  };
  try {
    return await withInstructions(call, { log, settings: { ...DEFAULT_SETTINGS, ...settings } });
  } finally {
    await log.end();
  }
}

/** A file of a project's `.agent`. */
function save(path: string, text: string | Buffer, folder = project): void {
  const file = join(folder, ".agent", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
