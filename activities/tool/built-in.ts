import { z } from "zod";
import type { Json, JsonObject } from "../../contract/json.js";
import { StepFailure } from "../failure.js";
import type { ToolServer, ToolUse } from "./server.js";

/** A tool that Longhaul has itself. */
export interface BuiltInTool {
  description: string;
  input: z.ZodType;
  /** @param params as `input` gives them. */
  run(params: unknown, use: ToolUse): Promise<Json>;
}

/** One with its params' type. */
export function builtInTool<Schema extends z.ZodType>(
  description: string,
  input: Schema,
  run: (params: z.output<Schema>, use: ToolUse) => Promise<Json>,
): BuiltInTool {
  return { description, input, run: (params, use) => run(params as z.output<Schema>, use) }; // parsed by this very schema
}

/** Tools of Longhaul's own as a server without a process. They throw errors of their own types. */
export function builtInServer(name: string, tools: Readonly<Record<string, BuiltInTool>>): ToolServer {
  return {
    alive: true,
    ended: new Promise(() => {}),
    tools: async () =>
      Object.entries(tools).map(([tool, { description, input }]) => ({
        name: tool,
        description,
        inputSchema: z.toJSONSchema(input, { io: "input" }) as JsonObject, // a JSON schema
      })),
    async call(tool, params, use) {
      const found = tools[tool];
      if (!found) throw new StepFailure("tool_unknown", `There is no tool ${name}.${tool}.`);
      const parsed = found.input.safeParse(params);
      if (!parsed.success) {
        throw new StepFailure("tool_invalid_params", `${name}.${tool} was not called. ${z.prettifyError(parsed.error)}`);
      }
      const structured = await found.run(parsed.data, use);
      return { content: [], structured, isError: false };
    },
    close: async () => {},
  };
}
