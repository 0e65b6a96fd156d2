import type { Node } from "./node.js";
import { read } from "./read.js";

/** What a step is called by, in the dialects. */
const NAMES = ["id", "key", "name", "step", "stage"];

/**
 * The line, from 1, in which a definition says a step; null when it cannot be found.
 *
 * @param text YAML or JSON, as `file` ends. @param key of the step in the plan.
 */
export function lineOfStep(text: string, file: string, key: string): number | null {
  const result = read(text, file);
  return result.ok ? (lineIn(result.root, key) ?? lineIn(result.root, key.replace(/\.[^.]*$/, ""))) : null;
}

function lineIn(node: Node, key: string): number | null {
  if (node.kind === "scalar") return null;
  if (node.kind === "map") {
    const called = node.entries.find(
      ({ key: name, value }) => NAMES.includes(name) && value.kind === "scalar" && isCalled(value.value, key),
    );
    if (called) return called.at.line;
    for (const { key: name, at, value } of node.entries) {
      const found = lineIn(value, key) ?? (name === key && value.kind === "map" ? at.line : null);
      if (found !== null) return found;
    }
    return null;
  }
  for (const item of node.items) {
    const found = lineIn(item, key);
    if (found !== null) return found;
  }
  return null;
}

/** A name becomes a key by its words. */
function isCalled(value: unknown, key: string): boolean {
  return value === key || (typeof value === "string" && value.toLowerCase().replace(/[^a-z0-9]+/g, "-") === key);
}
