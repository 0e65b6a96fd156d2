import type { Json } from "../contract/json.js";
import type { Ref, Value } from "../contract/plan.js";
import { PATH_GRAMMAR, type Path, parsePath } from "./path.js";
import { type Mark, placeholdersIn, type Stretch } from "./placeholder.js";

/** How a dialect writes references. */
export interface TemplateOptions {
  /** What opens a placeholder; anything else is text. */
  marks: readonly Mark[];
  /** What a path means in the dialect, or a sentence that says what is wrong with it. */
  toRef: (path: Path) => Ref | string;
}

/** A sentence about a text, and where in the text (in UTF-16 units from its start). */
export interface TextProblem {
  message: string;
  offset: number;
}

/**
 * Read a text with placeholders, such as `Review {{ changes.files }}`. One placeholder and nothing else gives `ref`, which keeps
 * the type of what it finds; more gives `text`; none `literal`. With problems the value is not to be used.
 */
export function parseTemplate(text: string, options: TemplateOptions): { value: Value; problems: TextProblem[] } {
  const problems: TextProblem[] = [];
  const parts = placeholdersIn(text, options.marks).map((stretch): string | Ref => {
    if ("text" in stretch) return stretch.text;
    const found = refIn(stretch, options);
    if (!("message" in found)) return found.ref;
    problems.push(found);
    return stretch.source;
  });
  const [first] = parts;
  if (parts.every((part) => typeof part === "string")) return { value: { literal: parts.join("") }, problems };
  return { value: parts.length === 1 && typeof first === "object" ? { ref: first } : { text: parts }, problems };
}

/**
 * Read a whole JSON tree, such as the parameters of a tool: each text in it is a template, keys are as they are. What holds no
 * reference is one `literal`. Problems come with the path of their text.
 */
export function parseValue(json: Json, options: TemplateOptions): { value: Value; problems: (TextProblem & { path: Path })[] } {
  if (typeof json === "string") {
    const { value, problems } = parseTemplate(json, options);
    return { value, problems: problems.map((problem) => ({ ...problem, path: [] })) };
  }
  if (typeof json !== "object" || json === null) return { value: { literal: json }, problems: [] };

  const entries: [string | number, Json][] = Array.isArray(json) ? json.map((item, i) => [i, item]) : Object.entries(json);
  const read = entries.map(([key, item]) => ({ key, ...parseValue(item, options) }));
  const problems = read.flatMap(({ key, problems }) => problems.map(({ path, ...rest }) => ({ ...rest, path: [key, ...path] })));
  return { value: together(Array.isArray(json), read), problems };
}

/** Every reference of a value, in the order in which they are written. */
export function refsOf(value: Value): Ref[] {
  if ("ref" in value) return [value.ref];
  if ("text" in value) return value.text.filter((part) => typeof part !== "string");
  if ("list" in value) return value.list.flatMap(refsOf);
  return "map" in value ? Object.values(value.map).flatMap(refsOf) : [];
}

/** What is wrong with a path, as a whole sentence. */
export function pathProblem(source: string, problem: string): string {
  return `${source} is no reference: ${problem}. A reference has ${PATH_GRAMMAR}.`;
}

function refIn(stretch: Exclude<Stretch, { text: string }>, { toRef }: TemplateOptions): { ref: Ref } | TextProblem {
  const { inside, offset, start, source } = stretch;
  if (inside === undefined) {
    const [mark, close] = source.startsWith("{{") ? ["{{", "}}"] : ["${", "}"];
    return { message: `${mark} is not closed: ${close} is missing. For the text itself write \\${mark}.`, offset };
  }
  if (inside.trim() === "")
    return { message: `${source} names nothing. Say what is to stand there, such as input.title.`, offset };
  const parsed = parsePath(inside.trim());
  if ("problem" in parsed) {
    const spaces = inside.length - inside.trimStart().length;
    return { message: pathProblem(source, parsed.problem), offset: start + spaces + parsed.at };
  }
  const ref = toRef(parsed.path);
  return typeof ref === "string" ? { message: ref, offset } : { ref };
}

function together(isList: boolean, read: { key: string | number; value: Value }[]): Value {
  const literals = read.flatMap(({ key, value }) => ("literal" in value ? [[key, value.literal] as const] : []));
  if (literals.length === read.length) {
    return { literal: isList ? literals.map(([, literal]) => literal) : Object.fromEntries(literals) };
  }
  return isList
    ? { list: read.map(({ value }) => value) }
    : { map: Object.fromEntries(read.map(({ key, value }) => [key, value])) };
}
