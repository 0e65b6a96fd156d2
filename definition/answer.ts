import type { Json, JsonObject } from "../contract/json.js";

/**
 * What a step has answered, as references, conditions and recommendations look at it: an agent's `data`, or the JSON object that its
 * `text` is or ends with (in a fence or bare); any other output itself; nothing is null.
 */
export function answerOf(output: Json | undefined): Json {
  if (!isObject(output)) return output ?? null;
  if (isObject(output.data)) return output.data;
  if (typeof output.text !== "string") return output;
  return objectIn(output.text) ?? output;
}

/** Whether an output is a coding agent's, whose answer's fields can be named as if they were its own. */
export function isAgentOutput(output: Json | undefined): boolean {
  return isObject(output) && typeof output.text === "string" && typeof output.sessionId === "string";
}

/** The JSON object at the end of a text: all of it, the last fenced block, or the last line. */
export function objectIn(text: string): JsonObject | undefined {
  for (const candidate of [text, lastFenced(text), text.trimEnd().split("\n").at(-1)]) {
    const value = candidate?.trimStart().startsWith("{") ? parsed(candidate) : undefined;
    if (isObject(value)) return value;
  }
  return undefined;
}

/** What stands between the last two fences of a text that ends with a fence. */
function lastFenced(text: string): string | undefined {
  const [before, inside, after] = text.split("```").slice(-3);
  if (before === undefined || inside === undefined || after?.trim() !== "") return undefined;
  return inside.slice(inside.indexOf("\n") + 1);
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
