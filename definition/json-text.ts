import { MAX_DEPTH, MAX_NODES } from "./limits.js";
import type { Lines } from "./lines.js";
import type { Entry, Node, Place } from "./node.js";
import { type Problems, Unreadable } from "./problems.js";
import { scalarProblem } from "./scalar.js";
import { TextList, TextMap, TextPlace, TextScalar } from "./text-node.js";

/**
 * Read JSON, and nothing but JSON, with the place of every value. `JSON.parse` tells no places, and those of its errors
 * only in newer versions of Node.
 *
 * @throws {Unreadable} at the first character that is no JSON.
 */
export function readJson(text: string, lines: Lines, problems: Problems): Node {
  const reader = new JsonReader(text, lines, problems);
  return reader.whole();
}

const BLANKS = /[ \t\r\n]*/y;
const WORD = /-?\d[\d.eE+-]*|[a-z]+/y;
/** What stands in a text as it is: anything but quotation marks, backslashes and control characters. */
const PLAIN = /[ !#-[\]-\uffff]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class JsonReader {
  private at = 0;
  private nodes = 0;

  constructor(
    private readonly text: string,
    private readonly lines: Lines,
    private readonly problems: Problems,
  ) {}

  whole(): Node {
    const root = this.value(0);
    this.blank();
    if (this.at < this.text.length) this.refuse(`The JSON ends before ${this.here()}. Take away what follows it.`);
    return root;
  }

  /** @param within what holds it, at this key or index; without a key it is of the same path. */
  private value(depth: number, within?: Place, key?: number): Node {
    this.blank();
    if (depth > MAX_DEPTH) this.refuse(`There are more than ${MAX_DEPTH} lists and maps within one another. Write it flatter.`);
    if (++this.nodes > MAX_NODES) this.refuse(`The file holds more than ${MAX_NODES} values. Keep data in files of its own.`);
    const place = new TextPlace(this.lines, this.at, within, key);
    const char = this.text[this.at];
    if (char === "{") return new TextMap(place, this.entries(place, depth));
    if (char === "[") return new TextList(place, this.items(place, depth));
    const start = this.at;
    const value = char === '"' ? this.string() : this.word();
    const raw = this.text.slice(start, this.at);
    const problem = scalarProblem(value, raw);
    if (problem) this.problems.add(place, problem);
    return new TextScalar(place, value, raw);
  }

  private items(list: Place, depth: number): Node[] {
    const items: Node[] = [];
    this.each("]", "a value", () => items.push(this.value(depth + 1, list, items.length)));
    return items;
  }

  private entries(map: Place, depth: number): Entry[] {
    const entries = new Map<string, Entry>();
    this.each("}", "a key in double quotes", () => {
      const start = this.at;
      if (this.text[this.at] !== '"') this.refuse(`Here a key in double quotes is missing, not ${this.here()}.`);
      const key = this.string();
      const at = new TextPlace(this.lines, start, map, key);
      const problem = scalarProblem(key, key);
      if (problem) this.problems.add(at, problem);
      this.blank();
      if (this.text[this.at] !== ":")
        this.refuse(`Here a colon is missing after the key ${JSON.stringify(key)}, not ${this.here()}.`);
      this.at++;
      const value = this.value(depth + 1, at);
      const first = entries.get(key);
      if (first)
        this.problems.add(at, `The key "${key}" is here a second time; the first is in line ${first.at.line}. Keep one.`);
      else entries.set(key, { key, at, value });
    });
    return [...entries.values()];
  }

  /** What stands between brackets, separated by commas. */
  private each(end: string, what: string, one: () => void): void {
    this.at++;
    this.blank();
    if (this.text[this.at] === end) {
      this.at++;
      return;
    }
    for (;;) {
      this.blank();
      if (this.text[this.at] === end) this.refuse(`Here ${what} is missing after the comma. JSON has no comma before ${end}.`);
      one();
      this.blank();
      const next = this.text[this.at];
      if (next !== "," && next !== end) this.refuse(`Here a comma or ${end} is missing, not ${this.here()}.`);
      this.at++;
      if (next === end) return;
    }
  }

  private string(): string {
    const start = this.at++;
    for (;;) {
      this.take(PLAIN);
      const char = this.text[this.at];
      if (char === '"') return String(JSON.parse(this.text.slice(start, ++this.at)));
      if (char === undefined) {
        this.at = start;
        this.refuse("This text has no end: its closing quote is missing.");
      }
      if (char !== "\\") this.refuse("A text is one line in JSON: write \\n for a new line and \\t for a tab.");
      if (this.take(ESCAPE) === "") this.refuse("JSON does not know this escape. For a backslash write two.");
    }
  }

  private word(): number | boolean | null {
    const start = this.at;
    const found = this.take(WORD);
    if (!/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(found)) {
      this.at = start;
      this.refuse(`Here a value is missing: ${this.here()} begins none. Texts stand in double quotes.`);
    }
    if (found === "null") return null;
    return /^[tf]/.test(found) ? found === "true" : Number(found);
  }

  private blank(): void {
    this.take(BLANKS);
  }

  /** What a pattern finds here; then goes on behind it. */
  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.text)) return "";
    const start = this.at;
    this.at = pattern.lastIndex;
    return this.text.slice(start, this.at);
  }

  private here(): string {
    const char = this.text[this.at];
    return char === undefined ? "the end of the file" : JSON.stringify(char);
  }

  private refuse(message: string): never {
    throw new Unreadable(this.at, message);
  }
}
