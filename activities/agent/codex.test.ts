import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { agentTurns, until } from "../../test/support/agent-turns.js";
import { scriptedModel } from "../../test/support/scripted-model.js";
import { testFolder } from "../../test/support/stack.js";
import { codexBinary, codexVersion, versionWarning } from "./codex-binary.js";

const model = await scriptedModel();

/** Besides what `provider.test.ts` says of every agent. */
describe.skipIf(!process.env.LONGHAUL_CODEX_BIN)("Codex", { timeout: 30_000 }, () => {
  const codex = agentTurns("codex", model);

  test("counts what a turn added to its session, and no costs", async () => {
    const first = await codex.run("[[say one]]");
    const second = await codex.run("[[say two]]", { lineage: "run_1-2/1", resume: first.sessionId ?? "" });

    expect(second.usage.output_tokens).toBe(first.usage.output_tokens);
    expect(second.usage.input_tokens).toBeLessThan(2 * first.usage.input_tokens);
    expect(second.usage).toMatchObject({ turns: 1, cost_usd: null });
  });

  test("counts what was used before a turn failed", async () => {
    const end = await codex.run("[[shell true]] [[status 400]]");

    expect(end).toMatchObject({ status: "failed", failure: { message: expect.stringContaining("The script answers 400.") } });
    expect(end.usage.output_tokens).toBeGreaterThan(0);
  });

  test("writes its session's id down the moment it is known", async () => {
    const worker = await codex.startWorker("[[hang]]");
    await until(() => model.requests.length > 0);
    const record = JSON.parse(readFileSync(codex.request("").sessionFile, "utf8"));
    await worker.kill();

    expect(record).toMatchObject({ lineage: "run_1-1/1", session_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  test("begins a new session when its worker was lost before the id was known", async () => {
    const { sessionFile, lineage } = codex.request("");
    mkdirSync(join(sessionFile, ".."), { recursive: true });
    writeFileSync(
      sessionFile,
      JSON.stringify({ lineage, session_id: null, prompts_before: 0, began_at: "2026-01-01T00:00:00Z" }),
    );
    const end = await codex.run("[[say hi]]");

    expect(end).toMatchObject({ status: "completed", text: "hi" });
    expect(codex.events).toContainEqual({ type: "session", sessionId: end.sessionId, resumed: false });
  });

  test("cannot change what git keeps, in mode acceptEdits: Longhaul commits", async () => {
    await codex.run("[[shell touch .git/made made.txt]] [[say Ready.]]", { permission: "acceptEdits" });

    expect(codex.has(".git/made")).toBe(false);
  });

  test("is checked by words of a schema that are rare, too", async () => {
    const schema = { type: "object", properties: { level: { type: "number" } }, not: { properties: { level: { const: 3 } } } };
    const [fits, not] = [
      await codex.run('[[answer {"level":2}]]', { schema }),
      await codex.run('[[answer {"level":3}]]', { schema, lineage: "run_1-2/1" }),
    ];

    expect(fits).toMatchObject({ status: "completed", data: { level: 2 } });
    expect(not).toMatchObject({ status: "failed", failure: { type: "agent_schema_failed" } });
  });

  test("ends what runs inside its sandbox when it is stopped", async () => {
    const stop = new AbortController();
    const seconds = `61.${process.pid}`;
    const running = codex.run(`[[shell touch begun; sleep ${seconds}]]`, { permission: "acceptEdits", signal: stop.signal });
    await until(() => codex.has("begun"));
    stop.abort();

    expect((await running).status).toBe("stopped");
    expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(`sleep ${seconds}`);
  });

  test("does not give its commands the key that it asks the model with", async () => {
    await codex.run("[[shell env > env.txt]]", { permission: "bypassPermissions" });

    expect(codex.read("env.txt")).not.toMatch(/^(OPENAI|CODEX)_API_KEY=/m);
  });

  test("is told in words of a schema that the API would refuse", async () => {
    const schema = { type: "object", properties: { verdict: { type: "string", minLength: 3 } } };
    const end = await codex.run('[[answer {"verdict":"approve"}]]', { schema });

    expect(end).toMatchObject({ status: "completed", data: { verdict: "approve" } });
    expect(model.requests.at(-1)?.conversation.text).toContain('"minLength":3');
  });

  test("asks no host but the model's for anything", async () => {
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(502).end();
    });
    proxy.on("connect", (request, socket) => {
      asked.push(request.url ?? "");
      socket.destroy();
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const { port } = proxy.address() as AddressInfo;
    const through = Object.fromEntries(["HTTP_PROXY", "HTTPS_PROXY"].map((name) => [name, `http://127.0.0.1:${port}`]));
    const none = { http_proxy: "", https_proxy: "", no_proxy: "127.0.0.1", NO_PROXY: "127.0.0.1" };
    const end = await codex.run("[[shell true]] [[say hi]]", { env: { ...none, ...through } });
    proxy.close();

    expect(end.status).toBe("completed");
    expect(asked).toEqual([]);
  });

  test("keeps no more in its folder than the session: its own skills stay away", async () => {
    const end = await codex.run("[[say hi]]");
    const { configDir } = codex.request("");

    expect(end.transcript).toContain(join(configDir, "sessions"));
    expect(existsSync(join(configDir, "skills"))).toBe(false);
  });

  test("has a version that Longhaul was tested with", async () => {
    expect(versionWarning(await codexVersion(codexBinary(process.env.LONGHAUL_CODEX_BIN)))).toBeNull();
  });
});

describe("the codex binary", () => {
  test("is the first on PATH", () => {
    const folder = testFolder();
    writeFileSync(join(folder, "codex"), "#!/bin/sh\n", { mode: 0o755 });

    expect(codexBinary(undefined, `/nowhere:relative:${folder}`)).toBe(join(folder, "codex"));
  });

  test("that is set is found from where Longhaul is started, not from the tree that it works in", () => {
    expect(codexBinary(relative(process.cwd(), process.execPath))).toBe(process.execPath);
  });

  test("is missed with the way to get it", () => {
    expect(() => codexBinary(undefined, "/nowhere")).toThrow(/npm install .*@openai\/codex.*LONGHAUL_CODEX_BIN/);
  });

  test("of another version is warned of", () => {
    expect(versionWarning("0.170.0")).toMatch(/0\.170\.0 .*tested/);
  });
});
