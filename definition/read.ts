import type { Problem } from "../contract/errors.js";
import { readJson } from "./json-text.js";
import { MAX_LENGTH } from "./limits.js";
import { Lines } from "./lines.js";
import type { Mapping, Node } from "./node.js";
import { Problems, Unreadable } from "./problems.js";
import { readYaml } from "./yaml-text.js";

export type ReadResult = { ok: true; root: Mapping } | { ok: false; problems: Problem[] };

/**
 * Read a definition's text to a tree in which every value knows its place.
 *
 * @param file its name, which says the format: `.json` is JSON, `.yaml` and `.yml` are YAML 1.2.
 */
export function read(text: string, file: string): ReadResult {
  const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const lines = new Lines(source.length > MAX_LENGTH ? "" : source);
  const problems = new Problems();
  try {
    const root = readerOf(file, source)(source, lines, problems);
    if (!problems.some) return { ok: true, root: asMap(root) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    problems.add({ path: error.path, ...lines.at(error.offset) }, error.message);
  }
  return { ok: false, problems: problems.list() };
}

function readerOf(file: string, text: string): (text: string, lines: Lines, problems: Problems) => Node {
  if (text.length > MAX_LENGTH) {
    throw new Unreadable(
      0,
      `The file has ${text.length} characters; a definition has at most ${MAX_LENGTH}. Keep data in files of its own.`,
    );
  }
  if (text.trim() === "") throw new Unreadable(0, "The file is empty. Write a definition with a name and steps.");
  if (/\.json$/i.test(file)) return readJson;
  if (/\.ya?ml$/i.test(file)) return readYaml;
  throw new Unreadable(0, `The name "${file}" does not say what it is. Call it .yaml, .yml or .json.`);
}

function asMap(root: Node): Mapping {
  if (root.kind === "map") return root;
  throw new Unreadable(0, "A definition is a map of keys and values, such as name and steps; this file holds something else.");
}
