import { join } from "node:path";
import { ConflictError, InvalidError, type Problem } from "../contract/errors.js";
import type { Json, JsonObject } from "../contract/json.js";
import type { LoadedWorkflow, Loader } from "../contract/loader.js";
import type { Workflow } from "../contract/workflow.js";
import { toJson } from "../definition/node.js";
import { read } from "../definition/read.js";
import { rewriteYaml } from "../definition/rewrite-yaml.js";
import { yamlOf } from "../definition/write-yaml.js";
import { notRight } from "./given-definition.js";

/** What a definition is written in. */
export type Format = "typescript" | "yaml" | "json";

export function formatOf(path: string): Format {
  return path.endsWith(".ts") ? "typescript" : /\.json$/i.test(path) ? "json" : "yaml";
}

export const ENDINGS = { typescript: "ts", yaml: "yaml", json: "json" } as const;
const TYPES = { code: "typescript", yaml: "yaml", json: "json" } as const;

export function formatOfType(type: Workflow["type"]): Format {
  return TYPES[type];
}

/** A definition given as JSON, as a text of its own. */
export function writtenOut(definition: JsonObject, format: Format): string {
  if (format === "typescript") throw isCode();
  return format === "json" ? pretty(definition, 2) : yamlOf(definition);
}

/**
 * What a text becomes that is to say something else. A text is taken as it is; JSON changes what differs, so that in YAML comments
 * stay.
 *
 * @param old the text now. @param good the last one that could be read, if that is another one
 */
export function changed(
  old: string,
  definition: string | JsonObject,
  { format, good = old }: { format: Format; good?: string },
): string {
  if (typeof definition === "string") return definition;
  if (format === "typescript") throw isCode();
  if (format === "json") return pretty(definition, /^\s*\{\r?\n([ \t]+)/.exec(old)?.[1] ?? 2);
  const base = read(old, "definition.yaml").ok ? old : good;
  const text = rewriteYaml(base, definition);
  if (text !== null) return text;
  const message = "holds what YAML, as definitions have it, cannot say. Send it as a text";
  throw new InvalidError(`definition ${message}.`, [{ path: "definition", message }]);
}

/**
 * The same definition under another name; of stages, whose id names the file, under another id as well.
 *
 * @throws {ConflictError} `name_in_code` of TypeScript, which only its author can change.
 */
export function renamed(text: string, { format, name, id }: { format: Format; name: string; id: string }): string {
  if (format === "typescript") {
    const message = "Its name stands in its code. Export it, give it another name there, and save that to the project.";
    throw new ConflictError(message, "name_in_code");
  }
  const value = valueOfText(text, format);
  const head = isObject(value.workflow) ? { ...value.workflow } : { ...value };
  head.name = name;
  if (typeof head.id === "string") head.id = id;
  return changed(text, isObject(value.workflow) ? { ...value, workflow: head } : head, { format });
}

/** What a text in YAML or JSON says. @throws {InvalidError} with every problem, where it cannot be read */
export function valueOfText(text: string, format: Format): JsonObject {
  const result = read(text, `definition.${ENDINGS[format]}`);
  if (!result.ok) throw notRight(result.problems, { places: true });
  const value = toJson(result.root);
  return isObject(value) ? value : {};
}

/**
 * Compile a text as the project's file.
 *
 * @param path relative to the project. @param given how the caller has it: JSON has no lines
 * @throws {InvalidError} with every problem at its place.
 */
export async function compileAs(
  loader: Loader,
  { root, path, text }: { root: string; path: string; text: string },
  given: string | JsonObject = text,
): Promise<LoadedWorkflow> {
  if (formatOf(path) === "typescript") {
    const result = await loader.load(join(root, path), root, text);
    if (result.ok) return result.workflow;
    const { message, file, line, column } = result.error;
    const problem: Problem = { path: file || "definition", message, line: line ?? undefined, column: column ?? undefined };
    throw notRight([problem], { places: true });
  }
  const result = await loader.compileText(text, path);
  if (result.ok) return result.workflow;
  throw notRight(result.problems, { places: typeof given === "string" });
}

function pretty(definition: Json, indent: string | number): string {
  return `${JSON.stringify(definition, null, indent)}\n`;
}

function isCode(): InvalidError {
  const message = "is JSON, but the workflow is TypeScript. Send its source as a text";
  return new InvalidError(`definition ${message}.`, [{ path: "definition", message }]);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
