import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AgentName } from "../../contract/agent-provider.js";
import { type AgentTurns, agentTurns, until } from "../../test/support/agent-turns.js";
import { scriptedModel } from "../../test/support/scripted-model.js";

const model = await scriptedModel();
const { LONGHAUL_GEMINI_BIN: gemini, LONGHAUL_GROK_BIN: grok } = process.env;

/** Agents by their commands, as nobody has prepared anything for them: here it is the step that gives them key and settings. */
describe.skipIf(!gemini)("acp: with Gemini CLI", { timeout: 60_000 }, () => {
  const turns = agentTurns(`acp:"${gemini}" --acp --model=pro`, model);
  const env = () => ({
    GEMINI_API_KEY: "scripted",
    GOOGLE_GEMINI_BASE_URL: model.url,
    GEMINI_CLI_HOME: join(turns.tree, ".."),
    GEMINI_CLI_TRUST_WORKSPACE: "false",
  });

  keepsToTheContract(turns, env);
});

describe.skipIf(!grok)("acp: with Grok Build", { timeout: 60_000 }, () => {
  const turns = agentTurns(`acp:"${grok}" agent --no-leader stdio`, model);
  const env = () => {
    const home = join(turns.tree, "../grok");
    mkdirSync(home, { recursive: true });
    const settings = { model: "scripted", base_url: `${model.url}/v1`, env_key: "XAI_API_KEY", api_backend: "responses" };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = "${value}"`);
    writeFileSync(join(home, "config.toml"), `[models]\ndefault = "scripted"\n[model.scripted]\n${lines.join("\n")}\n`);
    return { XAI_API_KEY: "scripted", GROK_HOME: home, GROK_DISABLE_AUTOUPDATER: "1" };
  };

  keepsToTheContract(turns, env);

  test("goes on in the same session after its worker was killed in mid-turn", async () => {
    const prompt = "[[write once.txt 1]] [[slow 4000]] [[say Both done.]]";
    const worker = await turns.startWorker(prompt, { env: env(), permission: "bypassPermissions" });
    await until(() => turns.has("once.txt") && model.requests.length >= 2);
    await worker.kill();
    const end = await turns.run(prompt, { env: env(), permission: "bypassPermissions" });

    expect(end).toMatchObject({ status: "completed", text: "Both done." });
    expect(turns.events).toContainEqual({ type: "session", sessionId: end.sessionId, resumed: true });
    expect(turns.events.filter(({ type }) => type === "tool")).toEqual([]);
  });
});

describe.each<[AgentName, string]>([
  ["acp:/nowhere/agent", "there is no such program"],
  ["acp:no-such-agent --flag", "no such program on PATH"],
  ["acp:./agent", "no such program on PATH"],
])("%s", (name, words) => {
  const turns = agentTurns(name, model);

  test("is missed, and where it was looked for is said", async () => {
    await expect(turns.run("[[say hi]]")).rejects.toThrow(words);
  });
});

describe("acp:true", () => {
  const turns = agentTurns("acp:true", model);

  test("does not speak the protocol, and fails so", async () => {
    const end = await turns.run("[[say hi]]");

    expect(end).toMatchObject({ status: "failed", failure: { message: expect.stringContaining("could not begin") } });
  });
});

function keepsToTheContract(turns: AgentTurns, env: () => Record<string, string>): void {
  test("answers, tells its session, and leaves a transcript of what was said", async () => {
    const end = await turns.run("What is it? [[say It is a test.]]", { env: env(), systemPrompt: "You are Ada." });

    expect(end).toMatchObject({ status: "completed", text: "It is a test.", failure: null });
    expect(turns.events).toContainEqual({ type: "session", sessionId: end.sessionId, resumed: false });
    expect(readFileSync(end.transcript ?? "", "utf8")).toContain("What is it?");
    expect(model.requests.at(-1)?.conversation.text).toContain("You are Ada.");
  });

  test("writes files in mode acceptEdits, and nothing where it only plans", async () => {
    await turns.run("[[write made.txt made]] [[say Ready.]]", { env: env(), permission: "acceptEdits" });
    const plan = await turns.run("[[write other.txt no]]", { env: env(), permission: "plan", lineage: "run_1-2/1" });

    expect(turns.read("made.txt")).toBe("made");
    expect(turns.has("other.txt")).toBe(false);
    expect(plan.status).toBe("completed");
  });

  test("says that the API answers with an error", async () => {
    const end = await turns.run("[[status 400]]", { env: env() });

    expect(end).toMatchObject({ status: "failed", failure: { type: "agent_api_error" } });
  });
}
