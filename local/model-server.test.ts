import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { claude } from "../activities/agent/claude.js";
import { refusing } from "../test/support/agent-refusing.js";
import { testFolder } from "../test/support/stack.js";
import { DEMO_RULES, makeDemoProject } from "./demo-project.js";
import { type ModelServer, startModelServer } from "./model-server.js";

let model: ModelServer;
beforeEach(async () => {
  model = await startModelServer({ rules: DEMO_RULES });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await model.stop();
});

describe("the model server", { timeout: 30_000 }, () => {
  test("lets real Claude Code build the demo's feature, wrongly first, and asks no other host for anything", async () => {
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
    const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]) vi.stubEnv(name, proxyUrl);
    for (const name of ["NO_PROXY", "no_proxy"]) vi.stubEnv(name, "127.0.0.1");
    const folder = testFolder();
    const { path } = makeDemoProject(join(folder, "demo"));
    const turn = turns(folder, path);

    const plan = await turn("Write a short plan for this specification. Change nothing yet.", "plan");
    const built = await turn("Implement this specification.", "acceptEdits");
    expect(tests(path)).toContain("not ok");
    const fixed = await turn("The tests fail. Mend the code, not the tests.", "acceptEdits", built.sessionId ?? undefined);

    expect(plan.text).toContain("slugify");
    expect([plan.status, built.status, fixed.status]).toEqual(["completed", "completed", "completed"]);
    expect(tests(path)).not.toContain("not ok");
    expect(asked).toEqual([]);
    proxy.close();
  });

  test("answers in one piece where no stream is asked for", async () => {
    const message = await ask({ messages: [{ role: "user", content: "[[say hello there]]" }] });

    expect(message).toMatchObject({ content: [{ type: "text", text: "hello there" }], stop_reason: "end_turn" });
  });

  test("streams an answer as events, from start to stop", async () => {
    const response = await post({ stream: true, messages: [{ role: "user", content: "[[say hello there]]" }] });
    const types = [...(await response.text()).matchAll(/^event: (.+)$/gm)].map(([, type]) => type);

    expect(types).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });

  test("answers with an error of the status it is told", async () => {
    const response = await post({ messages: [{ role: "user", content: "[[status 429]]" }] });

    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({ type: "error", error: { type: "rate_limit_error" } });
  });

  test("answers by OpenAI's Responses API as well, in one piece or as events", async () => {
    const asked = { input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "[[say hello there]]" }] }] };
    const whole = await (await post(asked, "/v1/responses")).json();
    const streamed = await (await post({ ...asked, stream: true }, "/v1/responses")).text();

    expect(whole).toMatchObject({ status: "completed", output: [{ type: "message", content: [{ text: "hello there" }] }] });
    expect([...streamed.matchAll(/^event: (.+)$/gm)].map(([, type]) => type)).toEqual([
      "response.created",
      "response.output_item.added",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_item.done",
      "response.completed",
    ]);
  });

  test.each(["exec_command", "exec"])(
    "has a client with the tool %s write by its shell, and sees what came of it",
    async (name) => {
      const prompt = { role: "user", content: "[[write a.txt it's]]" };
      const done = { type: "function_call_output", call_id: "call_1", output: "fine" };
      const tools = [{ type: "function", name }];
      const first = await (await post({ tools, input: [prompt] }, "/v1/responses")).text();
      const second = await (await post({ tools, input: [prompt, done] }, "/v1/responses")).text();

      expect(first).toContain("printf %s");
      expect(second).toContain("Done.");
    },
  );

  test("counts tokens, roughly", async () => {
    const response = await post({ messages: [] }, "/v1/messages/count_tokens");

    expect(await response.json()).toEqual({ input_tokens: expect.any(Number) });
  });

  test("stops while an answer hangs", async () => {
    const hanging = post({ stream: true, messages: [{ role: "user", content: "[[hang]]" }] }).then((response) => response.text());
    await vi.waitUntil(() => model.requests.length > 0);
    const gone = expect(hanging).rejects.toThrow();
    await model.stop();

    await gone;
    model = await startModelServer();
  });
});

function turns(folder: string, cwd: string) {
  vi.stubEnv("ANTHROPIC_BASE_URL", model.url);
  vi.stubEnv("ANTHROPIC_API_KEY", "test-key-of-nobody");
  let count = 0;
  return (prompt: string, permission: "plan" | "acceptEdits", resume?: string) => {
    const lineage = `${process.pid}/${++count}`;
    return claude.run({
      prompt,
      cwd,
      permission,
      resume,
      lineage,
      configDir: join(folder, "agents", "claude"),
      sessionFile: join(folder, "agents", `${count}.json`),
      permit: refusing(permission),
      marks: { LONGHAUL_RUN_ID: "run_model", LONGHAUL_OPERATION: lineage },
      signal: new AbortController().signal,
      watch: () => {},
    });
  };
}

function tests(cwd: string): string {
  try {
    return execFileSync("node", ["--test", "--test-reporter=tap"], { cwd, encoding: "utf8", env: { PATH: process.env.PATH } });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

function post(body: object, path = "/v1/messages"): Promise<Response> {
  return fetch(model.url + path, { method: "POST", body: JSON.stringify(body) });
}

async function ask(body: object): Promise<unknown> {
  return (await post(body)).json();
}
