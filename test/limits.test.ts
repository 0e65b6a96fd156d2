// A provider's usage limit: nothing fails, everything of the account waits until it is over, and goes on where it was.
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { accountOf } from "../activities/agent/limit.js";
import { PROVIDERS } from "../activities/agent/providers.js";
import { accountLimits } from "../db/schema.js";
import type { ModelServer } from "../local/model-server.js";
import { type Longhaul, longhaul, type RunRow } from "./support/longhaul.js";
import { scriptedModel } from "./support/scripted-model.js";

/** How long the limit lasts from the first request that meets it. `LIMIT_SECONDS=60` waits a minute. */
const LASTS_S = Number(process.env.LIMIT_SECONDS ?? 12);
const PATIENCE_MS = 60_000 + LASTS_S * 1_000;

let stack: Longhaul;
let model: ModelServer;
/** In seconds since 1970; set by the first request for it. */
let reset: number | undefined;
beforeAll(async () => {
  vi.stubEnv("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-of-nobody");
  model = await scriptedModel({
    rules: [
      {
        when: /^limited$/,
        moves: ({ results }) => {
          if (results.length > 0) reset ??= Math.ceil(Date.now() / 1_000) + LASTS_S;
          return [
            { tool: "Write", input: { file_path: "{cwd}/once.txt", content: "1" } },
            { say: "Both done.", ...(reset !== undefined && { limitedUntil: reset }) },
          ];
        },
      },
    ],
  });
  stack = await longhaul();
});
beforeEach(async () => {
  vi.stubEnv("ANTHROPIC_API_KEY", undefined); // with one Claude Code does not say when it answers again
  model.requests.length = 0;
  reset = undefined;
  await stack.db.orm.delete(accountLimits);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe.each(["claude", "codex"] as const)("the usage limit of %s", { timeout: 2 * PATIENCE_MS }, (provider) => {
  test.skipIf(provider === "codex" && !process.env.LONGHAUL_CODEX_BIN)(
    "holds every run of the account, also over a restart of the worker, and fails none",
    async () => {
      const first = await stack.start(agentFile(provider, "limited"));
      const waiting = await first.until(({ status }) => status === "waiting", PATIENCE_MS);
      const until = Date.parse(waiting.waiting_for?.until ?? "");

      expect(waiting.waiting_for).toMatchObject({ kind: "limit", message: expect.stringContaining("usage limit") });
      expect(waiting.steps).toMatchObject([{ status: "waiting" }]);
      expect(until).toBeGreaterThanOrEqual((reset ?? 0) * 1_000);

      const asked = model.requests.length;
      const second = await stack.start(agentFile(provider, "[[say Held.]]"));
      const held = await second.until(({ status }) => status === "waiting", PATIENCE_MS);
      expect(held.waiting_for).toMatchObject({ kind: "limit", until: waiting.waiting_for?.until });
      await stack.worker.stop();
      stack.worker = await stack.startWorker();

      const [one, two] = await Promise.all([first.finished(PATIENCE_MS), second.finished(PATIENCE_MS)]);
      expect([one.status, two.status]).toEqual(["completed", "completed"]);
      expect([one.steps, two.steps]).toMatchObject([
        [{ status: "completed", attempt: 1 }],
        [{ status: "completed", attempt: 1 }],
      ]);
      expect(outputOf(one)).toMatchObject({ text: "Both done.", filesChanged: ["once.txt"] });
      expect(outputOf(two)).toMatchObject({ text: "Held." });
      expect(one.steps[0]?.sessions).toHaveLength(1);
      // What was asked before the limit was met, then once by each when it was over.
      expect(model.requests).toHaveLength(asked + 2);
      expect(Date.parse(one.completed_at ?? "")).toBeGreaterThan(until);
      expect(Date.parse(two.completed_at ?? "")).toBeGreaterThan(until);
    },
  );
});

describe("a step that waits for a usage limit", { timeout: PATIENCE_MS }, () => {
  test("is ended by a cancel", async () => {
    await noted(Date.now() + 3_600_000);
    const run = await stack.start(agentFile("claude", "[[say Held.]]"));
    await run.until(({ status }) => status === "waiting");
    await stack.client.workflow.getHandle(run.id).cancel();

    expect(await run.finished()).toMatchObject({ status: "cancelled", steps: [{ status: "cancelled" }] });
    expect(model.requests).toEqual([]);
  });

  test("of the agent's tools fails instead, as its answer is part of another step's work", async () => {
    await noted(Date.now() + 3_600_000);
    const run = await stack.start(`import { defineWorkflow } from "longhaul";
      export default defineWorkflow({ name: "limits-tool", async execute(ctx) {
        return ctx.tool("agent.analyze", { prompt: "Look." });
      } });`);

    expect(await run.finished()).toMatchObject({ status: "failed", error: { type: "agent_limit_reached" } });
    expect(model.requests).toEqual([]);
  });
});

/** What another run would have left. */
async function noted(until: number): Promise<void> {
  const { id } = accountOf(PROVIDERS.claude, process.env);
  await stack.db.orm
    .insert(accountLimits)
    .values({ provider: "claude", account: id, model: null, until: new Date(until), message: "The usage limit is reached." });
}

function agentFile(provider: string, prompt: string): string {
  return `import { defineWorkflow, ${provider} } from "longhaul";
    export default defineWorkflow({ name: "limits-${provider}-${prompt.length}", async execute(ctx) {
      return ctx.agent("work", ${provider}, ${JSON.stringify(prompt)}, { permission: "acceptEdits" });
    } });`;
}

function outputOf(row: RunRow): unknown {
  return row.steps[0]?.output;
}
