import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ModelServer } from "../../local/model-server.js";
import { AgentSteps } from "../../test/support/agent-steps.js";
import { GitProject } from "../../test/support/git-project.js";
import { scriptedModel } from "../../test/support/scripted-model.js";

const REPAIR = /^Your answer could not be used/;

describe("an answer that does not fit its schema", { timeout: 30_000 }, () => {
  test("is asked for once more in the same session, which is told what is wrong", async () => {
    const { value, sessions } = await steps.do('[[say {"verdict":1}]]', { schema: verdict("willing") });

    expect(value).toMatchObject({ data: { verdict: "approve" }, usage: { turns: 4 } });
    expect(sessions).toMatchObject([{ status: "completed", provider_session_id: value.sessionId }]);
    const [prompt, , repair] = model.requests.at(-1)?.conversation.exchanges.map((exchange) => exchange.prompt) ?? [];
    expect(prompt).toBe('[[say {"verdict":1}]]');
    expect(repair).toMatch(REPAIR);
    expect(repair).toContain("expected string, received number");
    expect(repair).toContain(JSON.stringify(verdict("willing")));
  });

  test("fails the step when it does not fit the second time either, and is kept", async () => {
    await expect(steps.do('[[say {"verdict":1}]]', { schema: verdict("hopeless") })).rejects.toMatchObject({
      type: "agent_schema_failed",
      message: expect.stringContaining("Asked again, it still does not fit."),
      details: [{ output: { text: '{"verdict":1}', data: { verdict: 1 } }, sessions: [{ status: "failed" }] }],
    });
    expect(repairs()).toHaveLength(1);
  });

  test("is not asked for again by an agent that has had all its turns", async () => {
    await expect(steps.do('[[say {"verdict":1}]]', { schema: verdict("willing"), maxTurns: 2 })).rejects.toMatchObject({
      type: "agent_schema_failed",
    });
    expect(repairs()).toEqual([]);
  });
});

let model: ModelServer;
let project: GitProject;
let steps: AgentSteps;

beforeAll(async () => {
  const approve = { tool: "StructuredOutput", input: { verdict: "approve" } };
  model = await scriptedModel({
    rules: [{ when: /could not be used[\s\S]*willing/, moves: [approve, { say: "There it is." }] }],
  });
  project = new GitProject();
  steps = new AgentSteps(project);
});
afterAll(async () => {
  await steps.stop();
  project.remove();
});
beforeEach(() => {
  model.requests.length = 0;
});

function verdict(description: string) {
  const properties = { verdict: { type: "string", description } };
  return { type: "object", properties, required: ["verdict"], additionalProperties: false };
}

/** The prompts of the agent's last conversation that ask for an answer again. */
function repairs(): string[] {
  const exchanges = model.requests.at(-1)?.conversation.exchanges ?? [];
  return exchanges.map(({ prompt }) => prompt).filter((prompt) => REPAIR.test(prompt));
}
