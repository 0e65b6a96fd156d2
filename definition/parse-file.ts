import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { WorkflowParseError } from "./parse-errors.js";
import { parseJSON, parseYAML, type WorkflowDefinition } from "./parser.js";

/**
 * Read a definition from a file, in the format that its name says.
 *
 * @throws {WorkflowParseError} when it cannot be read, or is called neither `.yaml`, `.yml` nor `.json`
 */
export function parseFile(path: string): WorkflowDefinition {
  const parse = { ".yaml": parseYAML, ".yml": parseYAML, ".json": parseJSON }[extname(path).toLowerCase()];
  if (!parse) throw new WorkflowParseError(`The name "${path}" does not say what it is. Call it .yaml, .yml or .json.`);
  return parse(textOf(path));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new WorkflowParseError(`The file ${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}
