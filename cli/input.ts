import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Json, JsonObject } from "../contract/json.js";
import { calledFrom } from "./connection.js";
import { CliError, EXIT } from "./exit.js";

/**
 * A run's input from what was given: JSON, `@file` with JSON (`@-`: from stdin), and `key=value`, each added to the ones
 * before. A value is read as JSON where it is JSON, unless the schema says that it is a text.
 *
 * @param schema of the whole, if there is one.
 * @param option that they were given by.
 * @throws {CliError} naming the one that cannot be read.
 */
export function readInput(given: readonly string[], schema: Json | null, option = "--input"): Json {
  let input: Json = {};
  for (const one of given) {
    const value: Json = readOne(option, one, schema);
    const known = JsonObject.safeParse(input);
    const added = JsonObject.safeParse(value);
    input = known.success && added.success ? { ...known.data, ...added.data } : value;
  }
  return input;
}

/** JSON that stands in an option, or in the file that it names with `@`. */
export function readJson(option: string, text: string): Json {
  const source = text.startsWith("@") ? readSource(option, text.slice(1)) : text;
  try {
    return JSON.parse(source);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(EXIT.usage, `${option} ${text} is not JSON: ${why}`);
  }
}

function readOne(option: string, text: string, schema: Json | null): Json {
  const [, key, value] = /^([^\s={}[\]"@][^\s={}[\]"]*)=([\s\S]*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined) return readJson(option, text);
  return { [key]: isText(schema, key) ? value : jsonOrText(value) };
}

function jsonOrText(value: string): Json {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Whether a property can be nothing but a text: `tag=1.0` is then no number. */
function isText(schema: Json | null, key: string): boolean {
  const properties = at(schema, "properties");
  return at(at(properties, key), "type") === "string";
}

function at(value: Json | undefined, key: string): Json | undefined {
  const object = JsonObject.safeParse(value);
  return object.success && Object.hasOwn(object.data, key) ? object.data[key] : undefined;
}

function readSource(option: string, path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : resolve(calledFrom(), path), "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(EXIT.usage, `${option} @${path} cannot be read: ${why}`);
  }
}
