import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { agentTurns, isAlive, until } from "../../test/support/agent-turns.js";
import { scriptedModel } from "../../test/support/scripted-model.js";
import { sessionIdFor } from "./session-file.js";

const model = await scriptedModel();
const claude = agentTurns("claude", model);

/** Besides what `provider.test.ts` says of every agent. */
describe("Claude Code", { timeout: 30_000 }, () => {
  test("says what it cost", async () => {
    const end = await claude.run("[[say hi]]");

    expect(end.usage.cost_usd).toBeGreaterThan(0);
  });

  test("uses the session id chosen for the attempt", async () => {
    const end = await claude.run("[[say hi]]");

    expect(end.sessionId).toBe(sessionIdFor("run_1-1/1"));
  });

  test.each(["default", "acceptEdits"] as const)(
    "in mode %s refuses what would need a person, and lists it",
    async (permission) => {
      const end = await claude.run("[[shell npm run deploy]] [[say I could not.]]", { permission });

      expect(end.status).toBe("completed");
      expect(end.permissionDenials).toMatchObject([{ tool: "Bash", reason: expect.stringContaining("nobody can be asked") }]);
    },
  );

  test("in mode plan lists what it would have changed", async () => {
    const end = await claude.run("[[write made.txt no]] [[say 1. Write the file.]]", { permission: "plan" });

    expect(end.permissionDenials).toMatchObject([{ tool: "Write" }]);
  });

  test("is ended after so many turns", async () => {
    const end = await claude.run("[[shell true]] [[shell true]] [[shell true]]", {
      maxTurns: 2,
      permission: "bypassPermissions",
    });

    expect(end).toMatchObject({ status: "failed", failure: { type: "agent_max_turns" } });
  });

  test.each([
    ["does not read the repository's instructions, nor run its hooks, nor take its permissions", false],
    ["reads its instructions and runs its hooks where the repository is trusted, and takes no permissions from it", true],
  ])("%s", async (_what, trustRepository) => {
    writeFileSync(join(claude.tree, "CLAUDE.md"), "Be a pirate.");
    mkdirSync(join(claude.tree, ".claude"));
    const hook = { type: "command", command: `touch ${join(claude.tree, "hooked.txt")}` };
    writeFileSync(
      join(claude.tree, ".claude", "settings.json"),
      JSON.stringify({
        permissions: { allow: ["Bash(*)"] },
        hooks: { SessionStart: [{ hooks: [hook] }], Stop: [{ hooks: [hook] }] },
      }),
    );
    const end = await claude.run("[[shell touch made.txt]]", { trustRepository });

    expect(model.requests.some(({ conversation }) => conversation.text.includes("Be a pirate."))).toBe(trustRepository);
    expect(claude.has("hooked.txt")).toBe(trustRepository);
    expect(end.permissionDenials).toHaveLength(1);
    expect(claude.has("made.txt")).toBe(false);
  });

  test("ends nothing any more once a stopped turn is over", async () => {
    const stop = new AbortController();
    const running = claude.run("[[shell touch begun; sleep 60]]", { permission: "bypassPermissions", signal: stop.signal });
    await until(() => claude.has("begun"));
    stop.abort();
    await running;
    const env = { ...process.env, ...claude.request("").marks };
    const next = spawn("sleep", ["300"], { env, detached: true, stdio: "ignore" });
    await new Promise((resolve) => setTimeout(resolve, 300));

    expect(isAlive(next.pid ?? 0)).toBe(true);
    next.kill("SIGKILL");
  });
});
