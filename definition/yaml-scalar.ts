import {
  boolCoreTag,
  floatCoreTag,
  intCoreTag,
  NOT_RESOLVED,
  nullCoreTag,
  SCALAR_STYLE_DOUBLE_QUOTED,
  SCALAR_STYLE_PLAIN,
  SCALAR_STYLE_SINGLE_QUOTED,
  type ScalarEvent,
} from "js-yaml";

const PLAIN_TAGS = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag];
/** All other texts are texts: most of a definition. */
const PLAIN_BEGINNINGS = new Set(PLAIN_TAGS.flatMap(({ implicitFirstChars }) => implicitFirstChars ?? []));

/** A number, of which the library makes a text where it has too many digits to be one here. */
const TOO_LARGE = /^[-+]?\d+(?:\.\d*)?[eE][-+]?\d+$/;

/** What a text without quotes means by the core schema. */
export function plainValue(text: string): string | number | boolean | null {
  if (!PLAIN_BEGINNINGS.has(text.charAt(0))) return text;
  for (const tag of PLAIN_TAGS) {
    const value = tag.resolve(text, false, tag.tagName);
    if (value !== NOT_RESOLVED) return value;
  }
  return TOO_LARGE.test(text) ? Number(text) : text;
}

export function isQuoted({ style }: ScalarEvent): boolean {
  return style === SCALAR_STYLE_SINGLE_QUOTED || style === SCALAR_STYLE_DOUBLE_QUOTED;
}

/** With its quotes, or the mark (`|`, `>`) in the line before a block. */
export function startOfScalar(event: ScalarEvent, text: string): number {
  if (event.style === SCALAR_STYLE_PLAIN) return event.valueStart;
  if (isQuoted(event)) return event.valueStart - 1;
  const end = text.lastIndexOf("\n", event.valueStart - 1);
  const start = text.lastIndexOf("\n", end - 1) + 1;
  return start + Math.max(text.slice(start, end).search(BLOCK_MARK), 0);
}

const BLOCK_MARK = /[|>][-+0-9]*(?:[ \t]+#.*|[ \t]*)\r?$/;
