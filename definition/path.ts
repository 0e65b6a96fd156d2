import type { Json } from "../contract/json.js";

/** Names and indexes, outermost first. What was written `[0]` is a number, `.0` and `["0"]` are texts. */
export type Path = (string | number)[];

/** What a path may look like, for sentences about one that does not. */
export const PATH_GRAMMAR =
  'names of letters, digits, "_" and "-", joined by ".", with [0] for an item and ["any text"] for any other name';

const NAME = /[\p{L}\p{N}\p{M}_-]+/uy;
const INDEX = /\[(0|[1-9]\d{0,14})\]/y;
const QUOTED = /\[("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\]/sy;

/**
 * Read a path such as `steps.build.files[0].name` or `input["any text"]`.
 *
 * @returns the path, or what is wrong (a sentence's end, such as `a name is missing`) and at which offset of the text.
 */
export function parsePath(text: string): { path: Path } | { problem: string; at: number } {
  const path: Path = [];
  let at = 0;
  while (path.length === 0 || at < text.length) {
    const dotted = path.length > 0 && text[at] === ".";
    const [part, end] = (dotted ? undefined : bracketAt(text, at)) ?? nameAt(text, path, dotted ? at + 1 : at);
    if (part === undefined) return { problem: problemAt(text, dotted ? at + 1 : at), at: dotted ? at + 1 : at };
    path.push(part);
    at = end;
  }
  return { path };
}

/**
 * What lies at a path. Own properties only: nothing inherited is ever found, texts have no properties, lists have their items
 * and `length`.
 */
export function lookUp(root: Json, path: readonly (string | number)[]): Json | undefined {
  let value: Json | undefined = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Array.isArray(value) ? itemOf(value, part) : Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}

/** A path as people write it; `parsePath` reads it back. */
export function showPath(path: readonly (string | number)[]): string {
  return path
    .map((part, i) => {
      if (typeof part === "number") return `[${part}]`;
      return isName(part) ? (i === 0 ? part : `.${part}`) : `[${JSON.stringify(part)}]`;
    })
    .join("");
}

function isName(text: string): boolean {
  NAME.lastIndex = 0;
  return NAME.exec(text)?.[0] === text;
}

function itemOf(list: Json[], part: string | number): Json | undefined {
  if (part === "length") return list.length;
  return /^(0|[1-9]\d*)$/.test(String(part)) ? list[Number(part)] : undefined;
}

function nameAt(text: string, path: Path, at: number): [string | undefined, number] {
  if (path.length > 0 && text[at - 1] !== ".") return [undefined, at];
  NAME.lastIndex = at;
  return [NAME.exec(text)?.[0], NAME.lastIndex];
}

function bracketAt(text: string, at: number): [string | number | undefined, number] | undefined {
  if (text[at] !== "[") return undefined;
  INDEX.lastIndex = at;
  const index = INDEX.exec(text);
  if (index) return [Number(index[1]), INDEX.lastIndex];
  QUOTED.lastIndex = at;
  const quoted = QUOTED.exec(text);
  return quoted?.[1] === undefined ? undefined : [unquoted(quoted[1]), QUOTED.lastIndex];
}

/** As in JSON; in single quotes the double ones need no backslash, and a backslash before anything else stands for that. */
function unquoted(quoted: string): string | undefined {
  const inner = quoted
    .slice(1, -1)
    .replace(/\\'|\\\\|\\"|"/g, (found) => (found === "\\'" ? "'" : found === '"' ? '\\"' : found));
  try {
    return JSON.parse(`"${inner}"`) as string; // a JSON text in quotes is a string
  } catch {
    return undefined;
  }
}

function problemAt(text: string, at: number): string {
  const found = text[at];
  if (found === undefined) return text === "" ? "nothing is named" : "a name is missing at the end";
  if (found === "[") return "the brackets hold neither an index nor a quoted text";
  return /\s/.test(found)
    ? "there is white space in it"
    : `"${String.fromCodePoint(text.codePointAt(at) ?? 0)}" does not belong there`;
}
