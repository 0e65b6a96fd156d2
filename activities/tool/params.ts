import type { JsonObject } from "../../contract/json.js";
import { didYouMean } from "../../definition/nearest.js";
import { StepFailure } from "../failure.js";
import type { ToolInfo } from "./server.js";

const LISTED = 30;

/** @throws {StepFailure} `tool_unknown`, with the nearest name and those there are. */
export function toolNamed(server: string, name: string, tools: readonly ToolInfo[]): ToolInfo {
  const found = tools.find((tool) => tool.name === name);
  if (found) return found;
  const names = tools.map((tool) => tool.name);
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  const has = names.length === 0 ? "no tools" : `${names.slice(0, LISTED).join(", ")}${more}`;
  throw new StepFailure(
    "tool_unknown",
    `The tool server "${server}" has no tool "${name}".${didYouMean(name, names)} It has ${has}.`,
  );
}

/**
 * What of the params does not fit the tool's schema, as a sentence; null when all fits, or when the schema is none that can be
 * read: the server checks for itself as well.
 */
export async function misfit(params: JsonObject, schema: JsonObject): Promise<string | null> {
  const { AjvJsonSchemaValidator } = await import("@modelcontextprotocol/sdk/validation/ajv-provider.js");
  const { $schema: _, $id: __, ...plain } = schema; // of any draft, and none that is kept under a name
  try {
    const result = new AjvJsonSchemaValidator().getValidator(plain)(params);
    return result.valid ? null : result.errorMessage.replaceAll(/\bdata(?=[/ ])/g, "params");
  } catch {
    return null;
  }
}

/** @throws {StepFailure} `tool_invalid_params`. */
export async function checkParams(server: string, tool: ToolInfo, params: JsonObject): Promise<void> {
  const problem = await misfit(params, tool.inputSchema);
  if (problem === null) return;
  throw new StepFailure("tool_invalid_params", `${server}.${tool.name} was not called, for its params do not fit: ${problem}.`);
}
