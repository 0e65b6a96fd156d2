import type { Json, JsonObject } from "../../contract/json.js";
import type { ToolAnswer, ToolContent } from "./server.js";

/**
 * A tool's answer as a step's output: its structured content when there is one; else the JSON object or list that its only text
 * is; else `{ text }`, all its texts, with `content`, the whole list, when there is more than texts (images, links, files).
 */
export function valueOfAnswer({ content, structured }: ToolAnswer): Json {
  if (structured !== undefined) return structured;
  const texts = content.filter(isText);
  const [first] = texts;
  if (first && content.length === 1) {
    const parsed = jsonOf(first.text);
    if (parsed !== undefined) return parsed;
  }
  const value: JsonObject = { text: textOf(content) };
  if (texts.length < content.length) value.content = content as Json; // as it came over the wire
  return value;
}

/** Its texts, one below the other. */
export function textOf(content: readonly ToolContent[]): string {
  return content
    .filter(isText)
    .map(({ text }) => text)
    .join("\n");
}

function isText(part: ToolContent): part is ToolContent & { text: string } {
  return part.type === "text" && typeof part.text === "string";
}

/** Undefined for what is no object or list: a lone number or word is text. */
function jsonOf(text: string): Json | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
