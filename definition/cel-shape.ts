import { RESERVED } from "./cel-text.js";
import type { Path } from "./path.js";

/** A chain of names in an expression, such as `steps["a"].b`, and where it stands: [start, end) in UTF-16 units. */
export interface Chain {
  path: Path;
  start: number;
  end: number;
}

/** Texts, whole numbers, and names right behind a dot that are not called. */
const PART = /"[^"\r\n]*"|'[^'\r\n]*'|(?<![\w.])\d{1,15}(?![\w.])|(?<=\.)[A-Za-z_]\w*(?!\w|\s*\()/g;

/** Escapes, raw and long texts, comments, other ways to write numbers, and names that look like counted ones. */
const UNCLEAR = /[\\`]|"""|'''|\/\/|\b[rRbB]{1,2}["']|\b_\d|\d{16}|\d[xX]/;

/**
 * An expression whose texts, numbers and names behind dots are counted instead of written. Expressions of one shape are built alike, so
 * that one of them has to be parsed: a definition of a thousand steps has few.
 */
export class CelShape {
  /** `a["1"]._2 == 3`, of `a["b"].c == 7`. Can be parsed if the expression can, and only then. */
  readonly text: string;
  private readonly parts: (string | number)[] = [];
  /** From an offset of the shape on, how much further on the same is in the expression. */
  private readonly shifts: { from: number; by: number }[] = [];

  constructor(expression: string) {
    let text = "";
    let at = 0;
    for (const { 0: part, index } of UNCLEAR.test(expression) ? [] : expression.matchAll(PART)) {
      text += expression.slice(at, index) + this.counted(part);
      at = index + part.length;
      this.shifts.push({ from: text.length, by: at - text.length });
    }
    this.text = text + expression.slice(at);
  }

  /** A chain of the shape as it is in the expression. */
  chain({ path: [first = "", ...rest], start, end }: Chain): Chain {
    return { path: [first, ...rest.map((part) => this.written(part))], start: this.offset(start), end: this.offset(end) };
  }

  private counted(part: string): string {
    if (RESERVED.has(part)) return part; // is no name, and an error
    const isText = /^["']/.test(part);
    const count = this.parts.push(isText ? part.slice(1, -1) : /^\d/.test(part) ? Number(part) : part);
    if (isText) return `"${count}"`;
    return /^\d/.test(part) ? String(count) : `_${count}`;
  }

  private written(part: string | number): string | number {
    if (this.parts.length === 0) return part;
    return this.parts[Number(String(part).replace("_", "")) - 1] ?? part;
  }

  private offset(at: number): number {
    return at + (this.shifts.findLast(({ from }) => from <= at)?.by ?? 0);
  }
}
