import { type AgentMcpServer, environmentOf } from "./mcp-servers.js";
import type { AgentRequest, Permission } from "./provider.js";
import { toml } from "./toml.js";

/** Seconds until a server must have answered first. */
const START_S = 60;

/** The part of a turn's settings that tells Codex of its servers. */
export function serversIn({ mcpServers = [], permission, marks }: AgentRequest): string[] {
  return mcpServers.flatMap((server) => [
    `[mcp_servers.${toml(server.name)}]`,
    ...reachOf(server, marks),
    `startup_timeout_sec = ${START_S}`,
    "required = true",
    ...limits(server, permission),
  ]);
}

function reachOf({ reach }: AgentMcpServer, marks: Readonly<Record<string, string>>): string[] {
  if (reach.kind === "http") return [`url = ${toml(reach.url)}`, `http_headers = ${table(reach.headers)}`];
  const { command, args, cwd } = reach;
  return [
    `command = ${toml(command)}`,
    `args = [${args.map(toml).join(", ")}]`,
    `cwd = ${toml(cwd)}`,
    `env = ${table(environmentOf(reach, marks))}`,
  ];
}

/** It asks nobody: a call that a person would have to allow fails, and the model is told why. */
function limits({ name, readOnlyTools }: AgentMcpServer, permission: Permission): string[] {
  if (permission === "bypassPermissions") return ['default_tools_approval_mode = "approve"'];
  const allowed = readOnlyTools.flatMap((tool) => [
    `[mcp_servers.${toml(name)}.tools.${toml(tool)}]`,
    'approval_mode = "approve"',
  ]);
  return ['default_tools_approval_mode = "prompt"', ...allowed];
}

function table(values: Readonly<Record<string, string>>): string {
  return `{ ${Object.entries(values)
    .map(([name, value]) => `${toml(name)} = ${toml(value)}`)
    .join(", ")} }`;
}
