import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AgentDeps } from "../activities/agent/index.js";
import { agentServer } from "../activities/tool/agent/index.js";
import { githubServer } from "../activities/tool/github/index.js";
import type { ToolInfo } from "../activities/tool/server.js";
import type { JsonObject } from "../contract/json.js";
import { packageRoot } from "../package-root.js";

interface Step {
  name: string;
  tool: string;
  params: JsonObject;
}

const examples = join(packageRoot, "examples/tools");
const definitions = readdirSync(examples).map((file) => ({
  file,
  steps: JSON.parse(readFileSync(join(examples, file), "utf8")).steps as Step[],
}));

test.each(definitions)("$file gives GitHub's tools and the agent's what they take", async ({ steps }) => {
  // Their descriptions need none of what their work needs.
  const servers = {
    github: await githubServer({ apiUrl: "http://localhost", token: undefined }).tools(),
    agent: await agentServer({} as AgentDeps).tools(),
  };
  const calls = steps.filter(({ tool }) => Object.keys(servers).some((server) => tool.startsWith(`${server}.`)));

  expect(calls.length).toBeGreaterThan(0);
  expect(calls.flatMap((step) => misfits(step, servers))).toEqual([]);
});

/** Names alone: most values are references. */
function misfits({ name, tool, params }: Step, servers: Record<string, readonly ToolInfo[]>): string[] {
  const [server = "", toolName] = tool.split(".");
  const info = servers[server]?.find((each) => each.name === toolName);
  if (!info) return [`${name}: there is no ${tool}`];
  const { properties, required } = info.inputSchema as { properties: JsonObject; required?: string[] };
  return [
    ...Object.keys(params).flatMap((key) => (Object.hasOwn(properties, key) ? [] : [`${name}: ${tool} takes no ${key}`])),
    ...(required ?? []).flatMap((key) => (Object.hasOwn(params, key) ? [] : [`${name}: ${tool} needs ${key}`])),
  ];
}
