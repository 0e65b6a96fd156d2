import { LONGEST_MS } from "../../contract/duration.js";
import type { JsonObject } from "../../contract/json.js";

/** A JSON schema in draft-07, as ajv's strict mode and editors take it: every `type` is one word. */
export type Schema = JsonObject;

/** A text with something in it. */
export function text(description: string, more: Schema = {}): Schema {
  return { type: "string", pattern: "\\S", description, ...more };
}

/** A text on one line, with something in it. */
export function line(description: string, more: Schema = {}): Schema {
  return text(description, {
    pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f]",
    maxLength: 200,
    ...more,
  });
}

export function list(description: string, items: Schema, more: Schema = {}): Schema {
  return { type: "array", description, items, ...more };
}

export function flag(description: string, byDefault?: boolean): Schema {
  return { type: "boolean", description, ...(byDefault === undefined ? {} : { default: byDefault }) };
}

export function whole(description: string, minimum: number, maximum: number, more: Schema = {}): Schema {
  return { type: "integer", description, minimum, maximum, ...more };
}

export function word(description: string, words: readonly string[], byDefault?: string): Schema {
  return { type: "string", enum: [...words], description, ...(byDefault === undefined ? {} : { default: byDefault }) };
}

/** A map of the named keys and no others. */
export function map(description: string, properties: Schema, more: Schema = {}): Schema {
  return { type: "object", description, additionalProperties: false, properties, ...more };
}

/** A map whose keys are the author's own. */
export function anyMap(description: string, more: Schema = {}): Schema {
  return { type: "object", description, ...more };
}

/** One of several shapes. */
export function either(description: string, ...shapes: Schema[]): Schema {
  return { description, anyOf: shapes };
}

/** A part that the schema defines once; `definitions` holds them. */
export function ref(name: string): Schema {
  return { $ref: `#/definitions/${name}` };
}

/** Each of the named parts, under its own name. */
export function refs(...names: string[]): Schema {
  return Object.fromEntries(names.map((name) => [name, ref(name)]));
}

/** All of these keys are there. ajv's strict mode wants each of them named as a property, too. */
export function having(...keys: string[]): Schema {
  return { properties: Object.fromEntries(keys.map((key) => [key, true])), required: keys };
}

/** Of keys that say the same at most one. */
export function onlyOne(...keys: string[]): Schema[] {
  return keys.flatMap((one, i) => keys.slice(i + 1).map((other) => ({ not: having(one, other) })));
}

/** Milliseconds, or a text such as `30s`. Numbers under `least` are refused, as they were most likely meant as seconds. */
export function duration(description: string, { least = 0, zero = false } = {}): Schema {
  const text = { type: "string", pattern: "^(?:\\d+|\\d*\\.\\d+) *(?:[A-Za-z]+)?$", maxLength: 100 };
  const number = { type: "number", minimum: least, maximum: LONGEST_MS };
  const shapes = zero && least > 0 ? [number, { type: "number", const: 0 }, text] : [number, text];
  return either(`${description} Milliseconds, or a text such as "30s" or "2 hours".`, ...shapes);
}

/** `budget` of a step or of a whole definition. */
export const BUDGET: Schema = map(
  "What agents may spend: each measure counts by itself.",
  {
    usd: { type: "number", exclusiveMinimum: 0, description: "Dollars, of agents that tell their cost." },
    tokens: { type: "integer", minimum: 1, description: "Tokens read and written, but for those from a cache." },
    turns: { type: "integer", minimum: 1, description: "Answers of the model." },
    minutes: { type: "number", exclusiveMinimum: 0, description: "That agents are at work." },
    on_reached: word(
      "stop: the step fails as budget_exceeded. ask: a person is asked for as much again.",
      ["stop", "ask"],
      "stop",
    ),
  },
  { anyOf: ["usd", "tokens", "turns", "minutes"].map((measure) => ({ properties: { [measure]: true }, required: [measure] })) },
);
