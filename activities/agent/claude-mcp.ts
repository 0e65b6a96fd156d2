import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AgentMcpServer, processOf } from "./mcp-servers.js";
import type { AgentRequest } from "./provider.js";

/**
 * Write down a turn's servers for Claude Code: the SDK would have them on the command line, where every user of the machine could
 * read their tokens.
 *
 * @returns the file, to be removed after the turn; undefined when there are none
 */
export function writeServers(request: AgentRequest): { args: Record<string, string>; remove(): void } | undefined {
  const { configDir, lineage, mcpServers = [] } = request;
  if (mcpServers.length === 0) return undefined;
  const turn = createHash("sha256").update(lineage).digest("hex").slice(0, 16);
  const file = join(configDir, `mcp-${turn}.json`);
  const entries = mcpServers.map((server) => [server.name, entryOf(server, request)]);
  writeFileSync(file, JSON.stringify({ mcpServers: Object.fromEntries(entries) }), { mode: 0o600 });
  const allowed = mcpServers.flatMap(readOnlyTools);
  const args = { "mcp-config": file, ...(allowed.length > 0 ? { allowedTools: allowed.join(",") } : {}) };
  return { args, remove: () => rmSync(file, { force: true }) };
}

/** Those tools, by Claude Code's names for them, that their servers say change nothing. */
function readOnlyTools({ name, readOnlyTools }: AgentMcpServer): string[] {
  const plain = (text: string) => text.replace(/[^A-Za-z0-9_-]/g, "_");
  return readOnlyTools.map((tool) => `mcp__${plain(name)}__${plain(tool)}`);
}

/** `alwaysLoad`: the model is told of its tools at once, and the turn does not begin before they are there. */
function entryOf({ reach }: AgentMcpServer, { marks }: AgentRequest): object {
  if (reach.kind === "http") return { type: "http", url: reach.url, headers: reach.headers, alwaysLoad: true };
  return { type: "stdio", ...processOf(reach, marks), alwaysLoad: true };
}
