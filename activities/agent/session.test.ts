import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import type { AgentName } from "../../contract/agent-provider.js";
import { agentTurns, until } from "../../test/support/agent-turns.js";
import { scriptedModel } from "../../test/support/scripted-model.js";
import type { AgentUsage } from "./answer.js";
import type { AgentEnd } from "./provider.js";

const model = await scriptedModel();

/** What every agent keeps to when several turns, or several workers, have to do with one session. */
describe.each<AgentName>(["claude", "codex"])("a session of %s", { timeout: 60_000 }, (name) => {
  describe.skipIf(name === "codex" && !process.env.LONGHAUL_CODEX_BIN)("with a real binary", () => {
    const turns = agentTurns(name, model);

    test("counts each of its turns once", async () => {
      const first = await turns.run("[[shell true]] [[say one]]", { permission: "bypassPermissions" });
      const second = await next(first, 2, "[[say two]]");
      const third = await next(first, 3, "[[say three]]");

      expect(first.usage.turns).toBe(2);
      expect([second.usage.turns, third.usage.turns]).toEqual([1, 1]);
      expect(tokensOf(first, second, third)).toEqual(served());
      expect(second.usage.cost_usd).toEqual(name === "claude" ? priceOf(second.usage) : null);
    });

    test("counts once what a worker has used that was killed, and what goes on after it", async () => {
      const before = await turns.run("[[say one]]");
      const doing = { permission: "bypassPermissions", lineage: "run_1-2/1", resume: before.sessionId ?? "" } as const;
      const prompt = "[[shell true]] [[shell test -e begun || { touch begun; sleep 60; }]] [[say Done so.]]";
      const worker = await turns.startWorker(prompt, doing);
      await until(() => turns.has("begun"));
      await worker.kill();
      const after = await turns.run(prompt, doing);

      expect(after).toMatchObject({ status: "completed", sessionId: before.sessionId });
      expect(after.usage.turns).toBe(model.requests.length - 1);
      expect(tokensOf(before, after)).toEqual(served());
      expect(after.usage.cost_usd).toEqual(name === "claude" ? priceOf(after.usage) : null);
    });

    test("counts once what it needs to come to an answer of the right shape", async () => {
      const schema = {
        type: "object",
        properties: { level: { type: "number" } },
        required: ["level"],
        additionalProperties: false,
      };
      const end = await turns.run('[[say {"level":"high"}]]', { schema });

      expect(end).toMatchObject({ status: "failed", usage: { turns: model.requests.length } });
      expect(tokensOf(end)).toEqual(served());
    });

    test("counts what a turn has used that was stopped", async () => {
      const stop = new AbortController();
      const running = turns.run("[[shell touch begun; sleep 60]]", { permission: "bypassPermissions", signal: stop.signal });
      await until(() => turns.has("begun"));
      stop.abort();
      const end = await running;

      expect(end).toMatchObject({ status: "stopped", usage: { turns: 1 } });
      expect(tokensOf(end)).toEqual(served());
    });

    test("ends within ten seconds of being stopped, with a command that has left its group", async () => {
      const seconds = `62.${process.pid}`;
      const stop = new AbortController();
      const prompt = `[[shell setsid sleep ${seconds} & touch begun; wait]]`;
      const running = turns.run(prompt, { permission: "bypassPermissions", signal: stop.signal });
      await until(() => turns.has("begun"));
      const stopped = Date.now();
      stop.abort();
      await running;

      expect(Date.now() - stopped).toBeLessThan(10_000);
      expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(`sleep ${seconds}`);
    });

    test("can be copied: the copy knows what was said before, and the original does not know the copy", async () => {
      const first = await turns.run("[[say one]]");
      const copy = await turns.run("[[say two]]", { lineage: "run_1-2/1", resume: first.sessionId ?? "", fork: true });
      const copied = prompts();
      const third = await next(first, 3, "[[say three]]");
      const original = prompts();
      const fourth = await next(copy, 4, "[[say four]]");

      expect(copy.status).toBe("completed");
      expect(copy.sessionId).not.toBe(first.sessionId);
      expect(copied).toEqual(["[[say one]]", "[[say two]]"]);
      expect(original).toEqual(["[[say one]]", "[[say three]]"]);
      expect(third.sessionId).toBe(first.sessionId);
      expect(prompts()).toEqual(["[[say one]]", "[[say two]]", "[[say four]]"]);
      expect(tokensOf(first, copy, third, fourth)).toEqual(served());
    });

    test("is copied once: after its worker was killed the copy goes on", async () => {
      const first = await turns.run("[[shell true]] [[say one]]", { permission: "bypassPermissions" });
      const copying = {
        permission: "bypassPermissions",
        lineage: "run_1-2/1",
        resume: first.sessionId ?? "",
        fork: true,
      } as const;
      const prompt = "[[shell test -e begun || { touch begun; sleep 60; }]] [[say Done so.]]";
      const worker = await turns.startWorker(prompt, copying);
      await until(() => turns.has("begun"));
      await worker.kill();
      const copy = await turns.run(prompt, copying);

      expect(copy).toMatchObject({ status: "completed", text: "Done so." });
      expect(copy.sessionId).not.toBe(first.sessionId);
      expect(prompts().map((each) => each.slice(0, 8))).toEqual(["[[shell ", "[[shell ", "Continue"]);
      expect(tokensOf(first, copy)).toEqual(served());
    });

    test("cannot be copied when it is none of this run's", async () => {
      const end = await turns.run("[[say hi]]", { resume: "11111111-2222-8333-8444-555555555555", fork: true });

      expect(end).toMatchObject({
        status: "failed",
        failure: { type: "agent_failed", message: expect.stringContaining("11111111-2222-8333-8444-555555555555") },
      });
      expect(model.requests).toEqual([]);
    });

    function next(earlier: AgentEnd, step: number, prompt: string): Promise<AgentEnd> {
      return turns.run(prompt, { lineage: `run_1-${step}/1`, resume: earlier.sessionId ?? "" });
    }
  });
});

function tokensOf(...ends: AgentEnd[]) {
  return sum(ends.map(({ usage }) => usage));
}

/** What the model has told all clients together that they used. */
function served() {
  return sum(model.requests.flatMap(({ used }) => used ?? []));
}

function sum(all: readonly Pick<AgentUsage, "input_tokens" | "output_tokens">[]) {
  return {
    input_tokens: all.reduce((total, { input_tokens }) => total + input_tokens, 0),
    output_tokens: all.reduce((total, { output_tokens }) => total + output_tokens, 0),
  };
}

/** What Claude Code says that the tokens of the model cost that it takes by itself. */
function priceOf({ input_tokens, output_tokens }: AgentUsage): unknown {
  return expect.closeTo((input_tokens * 4 + output_tokens * 20) / 1e6, 6);
}

function prompts(): string[] {
  return model.requests.at(-1)?.conversation.exchanges.map(({ prompt }) => prompt.trim()) ?? [];
}
