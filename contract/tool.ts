import type { JsonObject } from "./json.js";

/** What a tool step asks for. */
export interface ToolInput {
  /** A name of the project's `.agent/mcp.json`, or a built-in server's. */
  server: string;
  tool: string;
  params: JsonObject;
}

/** How long a tool may take whose step says nothing, in milliseconds. */
export const TOOL_TIMEOUT_MS = 300_000;
