import { Composer, Lexer, Parser, type YAMLParseError } from "yaml";
import { MAX_DEPTH, MAX_LEXEMES } from "./limits.js";
import type { Lines } from "./lines.js";
import { type Problems, Unreadable } from "./problems.js";

export const NEEDS_QUOTES = 'A value that begins with {{ needs quotes, as { begins a map in YAML: "{{ … }}".';

/**
 * Adds every mistake of a text that is no YAML, where the fast reader stops at the first: this library reads on behind one. It may find
 * none.
 *
 * @throws {Unreadable} when the text is too much for it
 */
export function addSyntaxErrors(text: string, lines: Lines, problems: Problems): void {
  const documents = new Composer({ version: "1.2", uniqueKeys: false, resolveKnownTags: false }).compose(tokens(text));
  for (const { errors } of documents) report(errors, text, lines, problems);
}

/** The text in tokens. Ends before it costs anything when they are too many, or nest so deep that the library's recursion would. */
function* tokens(text: string) {
  const parser = new Parser();
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++lexemes > MAX_LEXEMES)
      throw new Unreadable(parser.offset, "From here on the file is too much to read. Keep data in files of its own.");
    for (const token of parser.next(lexeme)) yield token;
    if (parser.stack.length > MAX_DEPTH + 10) tooDeep(Math.min(parser.offset, text.length));
  }
  yield* parser.end();
}

export function tooDeep(offset: number): never {
  throw new Unreadable(offset, `There are more than ${MAX_DEPTH} lists and maps within one another. Write it flatter.`);
}

/** Where a value begins with `{{`, that alone, which is what the errors behind it come of. */
function report(errors: readonly YAMLParseError[], text: string, lines: Lines, problems: Problems): void {
  const told = new Set<number>();
  for (const { pos, code, message } of errors) {
    const place = lines.at(pos[0]);
    const start = pos[0] - place.column + 1;
    const bare = /(?<=[:[,-]\s*)\{\{/.exec(text.slice(start, pos[0] + 1));
    if (bare && !told.has(place.line)) problems.add({ path: "", line: place.line, column: bare.index + 1 }, NEEDS_QUOTES);
    if (!bare) problems.add({ path: "", ...place }, sentence(code, message));
    else told.add(place.line);
  }
}

/** The library's words for the two mistakes that people make most are none of theirs. */
function sentence(code: string, message: string): string {
  if (code === "TAB_AS_INDENT") return "YAML does not indent by tabs. Use spaces.";
  if (code === "MULTIPLE_DOCS") return SEVERAL_DOCUMENTS;
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

export const SEVERAL_DOCUMENTS = "The file holds several documents. Keep each definition in a file of its own.";
