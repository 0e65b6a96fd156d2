import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { InvalidError, type Problem } from "../contract/errors.js";

/** Other names of a field, by the other name: `{ message: "text" }`. */
export type Aliases = Readonly<Record<string, string>>;

/**
 * Give every field its one name: `stepId` becomes `step_id`, an alias what it stands for. Fields of objects within are
 * renamed only where the schema knows the object; a run's input stays as it is.
 *
 * @throws {InvalidError} when two names of one field have different values.
 */
export function canonicalNames(value: unknown, schema: z.ZodType, aliases: Aliases = {}, path = ""): unknown {
  const shape = shapeOf(schema);
  if (!shape || value === null || typeof value !== "object" || Array.isArray(value)) return value;

  const named = new Map<string, unknown>();
  const problems: Problem[] = [];
  for (const [given, item] of Object.entries(value)) {
    const name = canonical(given, shape, aliases);
    const place = path === "" ? name : `${path}.${name}`;
    const field = shape[name];
    const renamed = field ? canonicalNames(item, field, {}, place) : item;
    if (named.has(name) && !isDeepStrictEqual(named.get(name), renamed)) {
      problems.push({ path: place, message: "is given under two names, with different values" });
    }
    named.set(name, renamed);
  }
  if (problems.length > 0) throw new InvalidError("A field is given twice.", problems);
  return Object.fromEntries(named);
}

function canonical(given: string, shape: Readonly<Record<string, z.ZodType>>, aliases: Aliases): string {
  if (Object.hasOwn(shape, given)) return given;
  const snake = given.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const name = Object.hasOwn(aliases, snake) ? aliases[snake] : snake;
  return name !== undefined && Object.hasOwn(shape, name) ? name : given;
}

function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | null {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    const inner = schema.unwrap();
    return inner instanceof z.ZodType ? shapeOf(inner) : null;
  }
  return null;
}
