import type { SDKMessage } from "@anthropic-ai/claude-agent-sdk";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { agentTurns } from "../../test/support/agent-turns.js";
import { scriptedModel } from "../../test/support/scripted-model.js";
import * as claude from "./claude-limit.js";
import * as codex from "./codex-limit.js";
import { accountOf } from "./limit.js";
import { PROVIDERS } from "./providers.js";

describe("a usage limit", () => {
  test.each([
    ["Claude AI usage limit reached|1900000000", "2030-03-17T17:46:41.000Z"],
    [
      "API Error: 400 You have reached your specified API usage limits. You will regain access on 2030-01-01 at 00:00 UTC.",
      "2030-01-01T00:00:01.000Z",
    ],
  ])("of Claude Code is read from words, too: %s", (result, until) => {
    expect(claude.limitOf([claudeResult({ result })])).toMatchObject({ why: "limit", until });
  });

  test("of Claude Code may be one model's alone", () => {
    const event = { type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt: 1_900_000_000 } };
    const ofOpus = { ...event, rate_limit_info: { ...event.rate_limit_info, rateLimitType: "seven_day_opus" } };

    expect(claude.limitOf([told(event), claudeResult({})])).not.toHaveProperty("of_model");
    expect(claude.limitOf([told(ofOpus), claudeResult({})])).toMatchObject({ of_model: true });
  });

  test("that Claude Code went past is none", () => {
    const event = { type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt: 1_900_000_000 } };

    expect(claude.limitOf([told(event), claudeResult({ is_error: false })])).toBeNull();
    expect(claude.limitOf([claudeResult({})])).toBeNull();
  });

  test.each([
    ["at 11:15 PM.", new Date(2030, 2, 17, 23, 16, 1)],
    ["at 12:05 AM.", new Date(2030, 2, 17, 0, 6, 1)],
    ["at Mar 22nd, 2030 9:01 AM.", new Date(2030, 2, 22, 9, 2, 1)],
  ])("of Codex is read from words where the API's headers tell none: try again %s", (when, until) => {
    const failure = `You’ve hit your usage limit. Upgrade to Pro (https://…), or try again ${when}`;
    const limit = codex.limitOf(failure, { limits: [] }, new Date(2030, 2, 17, 8, 0));

    expect(limit).toMatchObject({ until: until.toISOString(), message: expect.stringContaining("hit your usage limit") });
  });

  test("of Codex that nobody says the end of is an error", () => {
    expect(codex.limitOf("You’ve hit your usage limit. Try again later.", { limits: [] })).toBeNull();
    expect(codex.limitOf("exceeded retry limit, last status: 429 Too Many Requests", { limits: [] })).toBeNull();
  });
});

describe("an account", () => {
  const { claude: agent, codex: other } = PROVIDERS;
  const env = { ANTHROPIC_API_KEY: "key-of-one", OPENAI_API_KEY: "key-of-one" };

  test("is known by its credentials and where they are for, and does not show them", () => {
    const { id } = accountOf(agent, env);

    expect(accountOf(agent, { ...env, PATH: "/bin" }).id).toBe(id);
    expect(accountOf(agent, { ...env, ANTHROPIC_API_KEY: "key-of-two" }).id).not.toBe(id);
    expect(accountOf(agent, { ...env, ANTHROPIC_BASE_URL: "http://other" }).id).not.toBe(id);
    expect(accountOf(other, env).id).not.toBe(id);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
  });
});

/** In seconds since 1970. */
let reset = 0;
const model = await scriptedModel({
  rules: [
    {
      when: /^work$/,
      moves: () => [
        { tool: "Write", input: { file_path: "{cwd}/once.txt", content: "1" } },
        { say: "Both done.", limitedUntil: reset },
      ],
    },
  ],
});

describe.each(["claude", "codex"] as const)("%s", { timeout: 60_000 }, (name) => {
  beforeEach(() => {
    vi.stubEnv("ANTHROPIC_API_KEY", undefined); // with one Claude Code does not say when it answers again
    vi.stubEnv("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-of-nobody");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  describe.skipIf(name === "codex" && !process.env.LONGHAUL_CODEX_BIN)("as a provider", () => {
    const turns = agentTurns(name, model);

    test("halts when its account has reached its usage limit, and goes on in its session after that", async () => {
      reset = Math.ceil(Date.now() / 1_000) + 3_600;
      const halted = await turns.run("work", { permission: "acceptEdits" });
      const asked = model.requests.length;
      const until = new Date(reset * 1_000 + 1_000).toISOString();

      expect(halted).toMatchObject({ status: "halted", failure: null, halt: { why: "limit", until } });
      expect(halted.halt?.message).toContain("limit");
      expect(asked).toBe(2);

      reset = 0;
      const end = await turns.run("work", { permission: "acceptEdits" });

      expect(end).toMatchObject({ status: "completed", text: "Both done.", sessionId: halted.sessionId });
      expect(turns.read("once.txt")).toBe("1");
      expect(model.requests).toHaveLength(asked + 1);
    });

    test("fails at a limit whose end nobody says", async () => {
      const end = await turns.run("[[status 429]]");

      expect(end).toMatchObject({ status: "failed", failure: { type: "agent_api_error" } });
    });
  });
});

function claudeResult(fields: object): SDKMessage {
  return told({ type: "result", subtype: "success", is_error: true, api_error_status: 429, result: "Too many.", ...fields });
}

/** A message with no more than what is looked at. */
function told(message: object): SDKMessage {
  return message as SDKMessage;
}
