import type { Mapping, Node, Place } from "./node.js";

/** A call of a tool, where it stands in a definition. */
export interface ToolCall {
  server: string;
  tool: string;
  /** Of the tool's name. */
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
  const name = node.entries.find(({ key }) => key === "tool")?.value;
  if (name?.kind !== "scalar" || typeof name.value !== "string") return below;
  const params = node.entries.find(({ key }) => key === "params")?.value;
  const [server = "", ...tool] = name.value.split(".");
  return [{ server, tool: tool.join("."), at: name, params: params?.kind === "map" ? params : undefined }, ...below];
}
