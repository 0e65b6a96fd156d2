import type { Condition, Ref } from "../contract/plan.js";
import { parseCel } from "./cel.js";
import type { Chain } from "./cel-shape.js";
import { celOfPath, celOfRef, refOfChain } from "./cel-text.js";
import { parsePath } from "./path.js";
import { placeholdersIn } from "./placeholder.js";
import type { TemplateOptions, TextProblem } from "./template.js";

interface Parsed {
  condition: Condition;
  problems: TextProblem[];
}

const NEVER: Condition = { cel: "false" };

/**
 * Read a condition: true or false, a reference (with or without the dialect's marks, `!` before it), `$.done` for a property of
 * `item`, or an expression of the Common Expression Language in which references may stand with or without marks. Expressions are
 * given back with their names as in the plan. With problems the condition is not to be used.
 *
 * Loads CEL. To decide conditions, `meets.ts` is enough.
 */
export function parseCondition(condition: string | boolean, options: TemplateOptions): Parsed {
  if (typeof condition === "boolean") return { condition: { cel: String(condition) }, problems: [] };
  return read(condition, 0);

  function read(text: string, from: number): Parsed {
    const trimmed = text.trim();
    const at = from + text.length - text.trimStart().length;
    if (trimmed === "") return refuse("A condition says nothing. Write one such as input.force, or leave it out.", from);
    const [whole, ...others] = placeholdersIn(trimmed, options.marks);
    if (whole && others.length === 0 && "inside" in whole && whole.inside !== undefined)
      return read(whole.inside, at + whole.start);
    if (trimmed === "true" || trimmed === "false") return { condition: { cel: trimmed }, problems: [] };
    return readNot(trimmed, at) ?? readReference(trimmed, at) ?? readExpression(trimmed, at);
  }

  function readNot(text: string, at: number): Parsed | undefined {
    if (!text.startsWith("!")) return undefined;
    const { condition, problems } = read(text.slice(1), at + 1);
    return "cel" in condition && condition !== NEVER ? undefined : { condition: { not: condition }, problems };
  }

  function readReference(text: string, at: number): Parsed | undefined {
    const parsed = parsePath(text.replace(/^\$(?=[.[]|$)/, "item"));
    if ("problem" in parsed || /^(null$|[\d-])/.test(text)) return undefined;
    const ref: Ref | string = text.startsWith("$") ? ["item", ...parsed.path.slice(1)] : options.toRef(parsed.path);
    return typeof ref === "string" ? refuse(ref, at) : { condition: { truthy: ref }, problems: [] };
  }

  function readExpression(text: string, at: number): Parsed {
    const source = sourceOf(text, options);
    if ("message" in source) return refuse(source.message, at + source.offset);
    const place = (offset: number) => at + source.origin(offset);
    const parsed = parseCel(source.cel);
    if ("problem" in parsed) {
      const offset = place(parsed.at);
      return refuse(`The condition "${text}" cannot be read at column ${offset - at + 1}: ${parsed.problem}.`, offset);
    }
    const problems: TextProblem[] = [];
    let cel = source.cel;
    for (const chain of parsed.chains.toReversed()) {
      if (text[source.origin(chain.start)] === "$") continue;
      const ref = options.toRef(chain.path[0] === "_" ? chain.path.slice(1) : chain.path);
      if (typeof ref === "string") problems.unshift({ message: ref, offset: place(chain.start) });
      else cel = withRef(cel, chain, ref);
    }
    return { condition: problems.length > 0 ? NEVER : { cel }, problems };
  }
}

/** Every reference of a condition, in the order in which they are written. Loads CEL. */
export function refsOfCondition(condition: Condition): Ref[] {
  if ("not" in condition) return refsOfCondition(condition.not);
  if ("truthy" in condition) return [condition.truthy];
  const parsed = parseCel(condition.cel);
  return "problem" in parsed ? [] : parsed.chains.map(({ path }) => refOfChain(path));
}

function refuse(message: string, offset: number): Parsed {
  return { condition: NEVER, problems: [{ message, offset }] };
}

interface Source {
  cel: string;
  /** Where in the text a character of it comes from; the text's end for what is behind the last. */
  origin(index: number): number;
}

/** The text as CEL: placeholders have become what they hold, `$` the item. */
function sourceOf(text: string, { marks }: TemplateOptions): Source | TextProblem {
  const stretches = placeholdersIn(text, marks);
  const holes = stretches.map((stretch) => ("text" in stretch ? stretch.text.replaceAll("\0", " ") : "\0")).join("");
  const quoted = [...holes.matchAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/gs)].find(([found]) => found.includes("\0"));
  let cel = "";
  const pieces: { start: number; offset: number; isCopy: boolean }[] = [];
  const add = (piece: string, offset: number, isCopy = false) => {
    pieces.push({ start: cel.length, offset, isCopy });
    cel += piece;
  };
  for (const stretch of stretches) {
    if ("text" in stretch) {
      addText(stretch.text, stretch.offset);
      continue;
    }
    const { inside, source, offset, start } = stretch;
    if (inside === undefined) return { message: `${source} is not closed in the condition "${text}".`, offset };
    if (quoted) return { message: `Inside quotes ${source} would be text. Leave the quotes out: ${source} == "…".`, offset };
    const parsed = parsePath(inside.trim());
    add("(", offset);
    if ("path" in parsed && !inside.trim().startsWith("$")) add(celOfPath(parsed.path), offset);
    else addText(inside, start);
    add(")", offset);
  }
  return { cel, origin };

  function origin(index: number): number {
    const piece = index < cel.length ? pieces.findLast(({ start }) => start <= index) : undefined;
    if (!piece) return text.length;
    return piece.isCopy ? piece.offset + index - piece.start : piece.offset;
  }

  function addText(piece: string, offset: number): void {
    for (const part of piece.matchAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\$(?=[.[]|\s|\)|$)|[^"'$]+|./gs)) {
      const at = offset + part.index;
      if (part[0] === "$") add("item", at);
      else add(part[0], at, true);
    }
  }
}

function withRef(cel: string, { path, start, end }: Chain, ref: Ref): string {
  const written = refOfChain(path);
  if (written.length === ref.length && written.every((part, i) => part === ref[i])) return cel;
  const closing = cel.slice(start, end).replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^)]/gs, ""); // as in (a).b
  return cel.slice(0, start) + celOfRef(ref) + closing + cel.slice(end);
}
