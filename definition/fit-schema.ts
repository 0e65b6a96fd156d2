import { Ajv, type ErrorObject, type Options } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Problem } from "../contract/errors.js";
import type { Json } from "../contract/json.js";

const OPTIONS: Options = { allErrors: true, useDefaults: true, strict: false, validateFormats: false, logger: false };

/** `value` with the schema's defaults filled in. */
export type Checked = { ok: true; value: Json } | { ok: false; problems: Problem[] };

/**
 * Check a value by a JSON schema, draft-07 unless its `$schema` says 2020-12. Formats are not checked.
 *
 * @param path what the places of problems begin with, such as `input`.
 * @throws {Error} when the schema itself is none; `schemaProblem` says so beforehand.
 */
export function checkBySchema(schema: Json, value: Json, path: string): Checked {
  const filled = structuredClone(value);
  const validate = ajvFor(schema).compile(asSchema(schema));
  if (validate(filled)) return { ok: true, value: filled };
  return {
    ok: false,
    problems: (validate.errors ?? []).map((error) => ({ path: placeOf(error, path), message: sentenceOf(error) })),
  };
}

/** One thing about a value that its schema does not allow. */
export interface Misfit {
  /** The part of the value, by keys and indexes. */
  at: readonly string[];
  keyword: string;
  /** Of the schema, as `#/properties/number/minimum`. */
  rule: string;
  words: string;
  /** A property that is needed and not there, or there and not known. */
  missing?: string | undefined;
  extra?: string | undefined;
}

/** Everything about a value that a JSON schema does not allow. @throws {Error} when the schema itself is none. */
export function misfitsOf(schema: Json, value: Json): Misfit[] {
  const validate = ajvFor(schema).compile(asSchema(schema));
  if (validate(structuredClone(value))) return [];
  return (validate.errors ?? []).map((error) => ({
    at: error.instancePath
      .split("/")
      .slice(1)
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~")),
    keyword: error.keyword,
    rule: error.schemaPath,
    words: sentenceOf(error),
    missing: textOf(error.params.missingProperty),
    extra: textOf(error.params.additionalProperty),
  }));
}

/** What is wrong with a JSON schema, as a sentence; null when nothing is. */
export function schemaProblem(schema: Json): string | null {
  try {
    ajvFor(schema).compile(asSchema(schema));
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function ajvFor(schema: Json): Ajv {
  const named = typeof schema === "object" && schema !== null && !Array.isArray(schema) ? schema.$schema : undefined;
  return String(named ?? "").includes("2020-12") ? new Ajv2020(OPTIONS) : new Ajv(OPTIONS);
}

/** Its own name would be looked up, or clash with that of another. */
function asSchema(schema: Json): boolean | Record<string, unknown> {
  if (typeof schema === "boolean") return schema;
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw new Error("a schema is an object or true or false");
  const { $id: _, $schema: __, ...rest } = schema;
  return rest;
}

function placeOf({ instancePath, params }: ErrorObject, path: string): string {
  const named = [params.missingProperty, params.additionalProperty].filter((name) => typeof name === "string");
  return [path, ...instancePath.split("/").slice(1), ...named].join(".");
}

function sentenceOf({ keyword, message = "does not fit", params }: ErrorObject): string {
  if (keyword === "required") return "is missing";
  if (keyword === "additionalProperties") return "is not known here";
  if (keyword === "enum")
    return `must be one of ${params.allowedValues.map((value: unknown) => JSON.stringify(value)).join(", ")}`;
  return message;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
