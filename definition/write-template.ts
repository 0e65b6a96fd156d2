import type { Json } from "../contract/json.js";
import type { Ref, Value } from "../contract/plan.js";
import { type Path, showPath } from "./path.js";
import { escapeMarks, type Mark } from "./placeholder.js";

/**
 * A value as an author would write it, in the dialect of `mark`; `fromRef` gives the path that means the reference there. What
 * `parseValue` has read comes back the same when it reads this again with the same marks.
 *
 * @param marks all marks of the dialect, the one to write references with first
 */
export function writeTemplate(value: Value, marks: readonly [Mark, ...Mark[]], fromRef: (ref: Ref) => Path): Json {
  const write = (part: Value): Json => writeTemplate(part, marks, fromRef);
  if ("literal" in value) return escaped(value.literal, marks);
  if ("ref" in value) return placeholder(fromRef(value.ref), marks[0]);
  if ("list" in value) return value.list.map(write);
  if ("map" in value) return Object.fromEntries(Object.entries(value.map).map(([key, part]) => [key, write(part)]));
  return value.text
    .map((part, i) => {
      if (typeof part !== "string") return placeholder(fromRef(part), marks[0]);
      return escapeMarks(part, marks, i < value.text.length - 1 ? marks[0] : undefined);
    })
    .join("");
}

function placeholder(path: Path, mark: Mark): string {
  return mark === "{{" ? `{{ ${showPath(path)} }}` : `\${${showPath(path)}}`;
}

function escaped(json: Json, marks: readonly Mark[]): Json {
  if (typeof json === "string") return escapeMarks(json, marks);
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map((item) => escaped(item, marks));
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, escaped(item, marks)]));
}
