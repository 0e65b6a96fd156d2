import type { Mapping, Node, Place } from "./node.js";

/** A call of a tool, or a server that an agent is given, where it stands in a definition. */
export interface ToolCall {
  server: string;
  /** Left out: which of them are called is for the agent to say. */
  tool?: string | undefined;
  /** Of the tool's name, or the server's. */
  at: Place;
  params: Mapping | undefined;
}

/** What is below these keys is the author's own: no step is there. */
const VALUES = new Set(["params", "input", "argsSchema", "env", "fields", "output_schema", "outputSchema", "config", "for_each"]);

/** The calls of tools in a definition that compiles, in the order of the file. */
export function toolCallsIn(node: Node): ToolCall[] {
  if (node.kind === "scalar") return [];
  if (node.kind === "list") return node.items.flatMap(toolCallsIn);
  const below = node.entries.flatMap(({ key, value }) => (VALUES.has(key) ? [] : toolCallsIn(value)));
  const given = node.entries.flatMap(({ key, value }) => (key === "mcp_servers" ? serversIn(value) : []));
  const name = node.entries.find(({ key }) => key === "tool")?.value;
  if (name?.kind !== "scalar" || typeof name.value !== "string") return [...given, ...below];
  const params = node.entries.find(({ key }) => key === "params")?.value;
  const [server = "", ...tool] = name.value.split(".");
  return [{ server, tool: tool.join("."), at: name, params: params?.kind === "map" ? params : undefined }, ...below];
}

function serversIn(names: Node): ToolCall[] {
  if (names.kind !== "list") return [];
  return names.items.flatMap((name) =>
    name.kind === "scalar" && typeof name.value === "string" ? [{ server: name.value, at: name, params: undefined }] : [],
  );
}
