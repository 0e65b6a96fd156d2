import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { CancelledFailure } from "@temporalio/common";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../../local/ports.js";
import { EVERYTHING, ToolProject } from "../../test/support/tool-project.js";

let project: ToolProject;
let server: ChildProcess;
let port: number;
let output: string;

beforeEach(async () => {
  project = new ToolProject();
  port = await freePort();
  await begin();
  project.configure({ everything: { url: `http://127.0.0.1:${port}/mcp` } });
});

afterEach(async () => {
  await project.stop();
  await end();
});

describe("a server over HTTP", { timeout: 30_000 }, () => {
  test("answers as one over stdio does", async () => {
    expect((await project.use("everything.get-structured-content", { location: "Chicago" })).value).toMatchObject({
      humidity: 82,
    });
    expect((await project.use("everything.echo", { message: "hello" })).value).toEqual({ text: "Echo: hello" });
  });

  test("tells its progress", async () => {
    await project.use("everything.trigger-long-running-operation", { duration: 1, steps: 5 });

    expect(project.output).toContain("4 of 5\n");
  });

  test("fails the step with the tool's own words", async () => {
    const refused = project.use("everything.gzip-file-as-resource", { data: "ftp://127.0.0.1/x" });

    await expect(refused).rejects.toMatchObject({ type: "tool_failed", message: expect.stringContaining("ftp:") });
  });

  test("that ends under a call is lost, at once", async () => {
    const long = project.use("everything.trigger-long-running-operation", { duration: 60, steps: 120 });
    const lost = expect(long).rejects.toMatchObject({ type: "tool_server_lost" });
    await project.until(() => project.output.includes("1 of 120"));
    await end();

    await lost;
  });

  test("is given up when it takes too long, or when the step is cancelled", async () => {
    const slow = { duration: 60, steps: 120 };
    await expect(project.use("everything.trigger-long-running-operation", slow, { timeoutMs: 700 })).rejects.toMatchObject({
      type: "timed_out",
    });

    const environment = project.environment();
    const waiting = project.use("everything.trigger-long-running-operation", slow, { environment });
    const cancelled = expect(waiting).rejects.toBeInstanceOf(CancelledFailure);
    await project.until(() => project.output.includes("1 of 120"));
    environment.cancel("CANCELLED");
    await cancelled;

    expect((await project.use("everything.echo", { message: "still there" })).value).toEqual({ text: "Echo: still there" });
  });

  test("is told when its session is over", async () => {
    await project.use("everything.echo", { message: "hello" });
    await project.stop();

    await project.until(() => output.includes("session termination"));
  });

  test("that cannot be reached says so", async () => {
    await end();

    await expect(project.use("everything.echo", { message: "x" })).rejects.toMatchObject({
      type: "tool_server_failed",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });
});

test("a session that the server has forgotten is begun anew", async () => {
  const sessions: string[] = [];
  const forgetful = createServer(async (request, response) => {
    const message = await bodyOf(request);
    const known = request.headers["mcp-session-id"];
    if (request.method !== "POST") return response.writeHead(405).end();
    if (message.method === "initialize") {
      sessions.push(`s${sessions.length}`);
      response.setHeader("mcp-session-id", sessions.at(-1) ?? "");
    } else if (known !== sessions.at(-1)) {
      return response.writeHead(404).end("Session not found");
    }
    if (message.id === undefined) return response.writeHead(202).end();
    const result = {
      initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "forgetful", version: "1" } },
      "tools/list": { tools: [{ name: "greet", inputSchema: { type: "object" } }] },
      "tools/call": { content: [{ type: "text", text: `hello from ${known}` }] },
    }[message.method];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
  });
  await once(forgetful.listen(0, "127.0.0.1"), "listening");
  project.configure({ forgetful: { url: `http://127.0.0.1:${(forgetful.address() as AddressInfo).port}` } });

  expect((await project.use("forgetful.greet")).value).toEqual({ text: "hello from s0" });
  sessions.push("forgotten");
  expect((await project.use("forgetful.greet")).value).toEqual({ text: "hello from s2" });

  forgetful.closeAllConnections();
  forgetful.close();
});

async function begin(): Promise<void> {
  output = "";
  server = spawn(process.execPath, [EVERYTHING, "streamableHttp"], { env: { ...process.env, PORT: String(port) } });
  for (const stream of [server.stdout, server.stderr]) stream?.on("data", (data: Buffer) => (output += data));
  await project.until(() => output.includes("listening on port"));
}

async function end(): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill("SIGKILL");
  await once(server, "exit");
}

async function bodyOf(request: IncomingMessage): Promise<{ id?: number; method: "initialize" | "tools/list" | "tools/call" }> {
  let text = "";
  for await (const piece of request) text += piece;
  return text === "" ? { method: "initialize" } : JSON.parse(text);
}
