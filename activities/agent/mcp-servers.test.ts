import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AgentName } from "../../contract/agent-provider.js";
import { AgentSteps } from "../../test/support/agent-steps.js";
import { until } from "../../test/support/agent-turns.js";
import { GitProject } from "../../test/support/git-project.js";
import { scriptedModel } from "../../test/support/scripted-model.js";
import { EVERYTHING, FILESYSTEM } from "../../test/support/tool-project.js";
import { processTable } from "../process-table.js";

const TOKEN = "a-token-for-the-tickets";

const model = await scriptedModel();
let project: GitProject;
let steps: AgentSteps;

beforeEach(() => {
  process.env.MCP_TICKETS_TOKEN = TOKEN;
  model.requests.length = 0;
  project = new GitProject();
  steps = new AgentSteps(project);
  steps.deps.codexBin = process.env.LONGHAUL_CODEX_BIN;
  configure({
    tickets: { command: "node", args: [EVERYTHING, "stdio"], cwd: ".agent", env: { TOKEN: `\${MCP_TICKETS_TOKEN}` } },
    files: { command: "node", args: [FILESYSTEM, `\${workspace}`] },
  });
});

afterEach(async () => {
  delete process.env.MCP_TICKETS_TOKEN;
  await steps.stop();
  project.remove();
});

/** What holds for every agent that can be given servers, each with its own real binary. */
describe.each<AgentName>(["claude", "codex"])("%s with servers of the project", { timeout: 30_000 }, (provider) => {
  describe.skipIf(provider === "codex" && !process.env.LONGHAUL_CODEX_BIN)("in a step", () => {
    test("calls their tools, and each call is a row", async () => {
      const { value, tool_calls } = await steps.do(`${call("tickets", "echo", { message: "hello" })} [[say Ready.]]`, {
        provider,
        mcpServers: ["tickets"],
      });

      expect(value.text).toBe("Ready.");
      expect(tool_calls).toEqual([
        expect.objectContaining({
          tool: expect.stringMatching(/^(mcp__tickets__echo|tickets\.echo)$/),
          input: { message: "hello" },
          output: expect.stringContaining("Echo: hello"),
          is_error: false,
        }),
      ]);
    });

    test("has them with their own environment and nothing of the agent's, and their secrets in no row", async () => {
      const { tool_calls } = await steps.do(call("tickets", "get-env"), {
        provider,
        mcpServers: ["tickets"],
        env: { TEAM: "blue" },
      });

      const output = String(tool_calls?.[0]?.output);
      expect(output).toMatch(/TOKEN\W+\*\*\*/);
      expect(output).toContain("LONGHAUL_RUN_ID");
      for (const others of [TOKEN, "API_KEY", "TEAM", "CODEX_HOME", "CLAUDE_CONFIG_DIR"]) expect(output).not.toContain(others);
      expect(steps.log).not.toContain(TOKEN);
    });

    test("shows their tokens on no command line, and keeps them in no file after the turn", async () => {
      const running = steps.do("[[slow 3000]] [[say Ready.]]", { provider, mcpServers: ["tickets"] });
      await until(() => model.requests.length > 0);
      const seen = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
      await running;

      expect(seen).toContain(EVERYTHING);
      expect(seen).not.toContain(TOKEN);
      expect(filesWith(TOKEN)).toEqual([]);
    });

    test.each(["plan", "default", "acceptEdits"] as const)(
      "calls in mode %s those tools alone that change nothing",
      async (permission) => {
        const path = join(project.path, "made");
        const prompt = [
          call("files", "create_directory", { path }),
          call("files", "list_directory", { path: project.path }),
        ].join(" ");
        const { tool_calls } = await steps.do(prompt, { provider, mcpServers: ["files"], permission });

        expect(existsSync(path)).toBe(false);
        expect(tool_calls).toMatchObject([{ is_error: true }, { is_error: false, output: expect.stringContaining("README.md") }]);
      },
    );

    test("calls all of them in mode bypassPermissions", async () => {
      const path = join(project.path, "made.txt");
      const { value } = await steps.do(call("files", "write_file", { path, content: "x" }), { provider, mcpServers: ["files"] });

      expect(value.filesChanged).toEqual(["made.txt"]);
    });

    test("has no others: neither those it is not given, nor those that the repository names for it", async () => {
      project.write(".mcp.json", JSON.stringify({ mcpServers: { planted: { command: "touch", args: ["planted.txt"] } } }));
      project.write(".codex/config.toml", '[mcp_servers.planted]\ncommand = "touch"\nargs = ["planted.txt"]\n');
      await steps.do("[[say Ready.]]", { provider, mcpServers: ["tickets"] });

      const { tools } = model.requests.at(-1)?.conversation ?? {};
      expect(tools?.filter((tool) => tool.startsWith("mcp__tickets"))).not.toEqual([]);
      expect(tools?.filter((tool) => /^mcp__(files|planted)/.test(tool))).toEqual([]);
      expect(existsSync(join(project.path, "planted.txt"))).toBe(false);
    });

    test("reaches one over HTTP, with the headers of its entry", async () => {
      const asked: IncomingHttpHeaders[] = [];
      const http = createServer(async (request, response) => {
        asked.push(request.headers);
        const server = new McpServer({ name: "tickets", version: "1" });
        server.registerTool("count", { annotations: { readOnlyHint: true } }, () => ({ content: [{ type: "text", text: "7" }] }));
        const transport = new StreamableHTTPServerTransport();
        await server.connect(transport as Parameters<McpServer["connect"]>[0]);
        await transport.handleRequest(request, response);
      }).listen(0, "127.0.0.1");
      await once(http, "listening");
      const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
      configure({ tickets: { url, headers: { Authorization: `Bearer \${MCP_TICKETS_TOKEN}` } } });

      const { tool_calls } = await steps.do(call("tickets", "count"), { provider, mcpServers: ["tickets"] });
      http.closeAllConnections();
      http.close();

      expect(tool_calls).toMatchObject([{ is_error: false, output: expect.stringContaining("7") }]);
      expect(new Set(asked.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${TOKEN}`]));
    });

    test("leaves none of them running", async () => {
      await steps.do(call("tickets", "echo", { message: "x" }), { provider, mcpServers: ["tickets", "files"] });

      const running = (await processTable()).filter(({ environment }) =>
        environment.includes(`LONGHAUL_RUN_ID=run_agents${process.pid}\0`),
      );
      expect(running).toEqual([]);
    });
  });
});

describe("before a model is asked anything", { timeout: 30_000 }, () => {
  test.each([
    ["a server that is not there", "ticket", "tool_unknown_server", 'Did you mean "tickets"?'],
    ["one that is built in", "github", "tool_unknown_server", "are for tool steps alone"],
    ["one that is not set right", "odd", "tool_config_invalid", "mcpServers.odd"],
    ["one that does not start", "broken", "tool_server_failed", "exited with code 3"],
  ])("%s fails the step", async (_, name, type, words) => {
    configure({ tickets: { command: "node" }, odd: { args: [] }, broken: { command: "sh", args: ["-c", "exit 3"] } });

    await expect(steps.do("[[say hi]]", { mcpServers: [name] })).rejects.toMatchObject({
      type,
      message: expect.stringContaining(words),
    });
    expect(model.requests).toEqual([]);
  });
});

function configure(mcpServers: object): void {
  project.write(".agent/mcp.json", JSON.stringify({ mcpServers }));
  project.git("add", "--all");
  project.git("commit", "--quiet", "--message=Servers");
}

/** A marker of the scripted model. */
function call(server: string, tool: string, input: object = {}): string {
  return `[[tool mcp__${server}__${tool} ${JSON.stringify(input)}]]`;
}

/** Files of the agents' own folder that have a text in them. */
function filesWith(text: string): string[] {
  try {
    return execFileSync("grep", ["-rl", text, steps.deps.home], { encoding: "utf8" }).trim().split("\n");
  } catch {
    return []; // grep has found nothing
  }
}
