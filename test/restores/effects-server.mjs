// A tool server with one tool, `note`: what `note.sh` does. Its arguments: that script, and the tree it works in.
import { execFileSync } from "node:child_process";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const [script, cwd] = process.argv.slice(2);
const server = new McpServer({ name: "effects", version: "1.0.0" });
server.registerTool("note", { description: "Note it.", inputSchema: { name: z.string() } }, ({ name }) => {
  execFileSync("sh", [script, name], { cwd });
  return { content: [{ type: "text", text: name }] };
});
await server.connect(new StdioServerTransport());
