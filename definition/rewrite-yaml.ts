import { isMap, isScalar, isSeq, parseDocument, visit } from "yaml";
import type { JsonObject } from "../contract/json.js";
import { equal } from "./equal.js";
import { columnOf } from "./line-of.js";
import { toJson } from "./node.js";
import { read } from "./read.js";
import { type YamlStyle, yamlOf } from "./write-yaml.js";
import { YamlEdits } from "./yaml-edits.js";

/**
 * Make a YAML text say another value, and change it only where it must be: what stays keeps its comments, its quotes and its place.
 * Aliases stay where all that they repeat is still the same, and are written out where it is not.
 *
 * @param text of a definition; one that cannot be read is written anew
 * @returns text that reads as `value`; null when YAML, as definitions have it, cannot say that
 */
export function rewriteYaml(text: string, value: JsonObject): string | null {
  const anew = () => commentsAbove(text) + yamlOf(value);
  for (const attempt of [() => edited(text, value, false), () => edited(text, value, true), anew, () => yamlOf(value)]) {
    const written = attempt();
    if (written !== null && says(written, value)) return written;
  }
  return null;
}

function edited(text: string, value: JsonObject, expand: boolean): string | null {
  if (!read(text, "definition.yaml").ok) return null;
  const isWindows = text.includes("\r\n");
  const mark = text.startsWith("\uFEFF") ? "\uFEFF" : "";
  const plain = text.slice(mark.length).replaceAll("\r\n", "\n");
  const document = parseDocument(plain, { version: "1.2", uniqueKeys: false, resolveKnownTags: false });
  const edits = new YamlEdits(plain, document, { style: styleOf(document, plain), expand }).of(value);
  if (!edits) return null;
  let written = "";
  let at = 0;
  for (const { start, end, text: instead } of edits) {
    if (start < at) return null;
    written += plain.slice(at, start) + instead;
    at = end;
  }
  written += plain.slice(at);
  return mark + (isWindows ? written.replaceAll("\n", "\r\n") : written);
}

function says(text: string, value: JsonObject): boolean {
  const result = read(text, "definition.yaml");
  return result.ok && equal(toJson(result.root), value);
}

/** As the first list and the first map within another have it. */
function styleOf(document: ReturnType<typeof parseDocument>, text: string): YamlStyle {
  const found: Partial<YamlStyle> = {};
  visit(document, {
    Pair(_, { key, value }) {
      if (!isScalar(key) || !(isMap(value) || isSeq(value)) || value.flow) return;
      const further = columnOf(text, value.range?.[0] ?? 0) - columnOf(text, key.range?.[0] ?? 0);
      if (isSeq(value)) found.indentSeq ??= further > 0;
      if (further > 0) found.indent ??= further;
    },
  });
  return { indent: Math.min(found.indent ?? 2, 8), indentSeq: found.indentSeq ?? true };
}

/** The comments that begin a file, such as the one that names its schema. */
function commentsAbove(text: string): string {
  return /^\uFEFF?((?:#[^\r\n]*\r?\n|\r?\n)*)/.exec(text)?.[1]?.trimStart() ?? "";
}
