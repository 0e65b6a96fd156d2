import { LEAST_HIDDEN } from "../contract/secret.js";
import { mapTexts } from "./map-texts.js";
import { formsOf } from "./secret-forms.js";
import { TextFinder } from "./text-finder.js";

/** What stands where a secret was. */
const HIDDEN = "***";
/** Shorter secrets are not looked for in names of fields, ids and paths: too many would be changed by accident. */
const LEAST_IN_NAMES = 8;

/** Hides secrets, in all the forms of `formsOf`, in whatever is recorded and shown. */
export class SecretMask {
  private readonly secrets: ReadonlySet<string>;
  private finder: TextFinder | undefined;
  private names: SecretMask | undefined;

  /** @param secrets those with fewer than four characters are left alone: half of every text would be hidden. */
  constructor(secrets: Iterable<string>) {
    this.secrets = new Set([...secrets].filter((secret) => secret.length >= LEAST_HIDDEN));
  }

  /** Hides what either hides. */
  with({ secrets }: SecretMask): SecretMask {
    return [...secrets].every((secret) => this.secrets.has(secret)) ? this : new SecretMask([...this.secrets, ...secrets]);
  }

  /** A whole text. */
  readonly text = (text: string): string => {
    if (this.secrets.size === 0 || text.length < LEAST_HIDDEN) return text;
    const pieces = this.pieces();
    return pieces.push(text) + pieces.end();
  };

  /** Every text in a JSON-like value, names of fields included. */
  json<Value>(value: Value): Value {
    if (this.secrets.size === 0) return value;
    const names = this.ofNames();
    return mapTexts(value, this.text, names.secrets.size === 0 ? undefined : names.text);
  }

  /** Every text in a value of ids, paths and times, where short secrets are left alone. */
  record<Value>(value: Value): Value {
    const names = this.ofNames();
    return names.secrets.size === 0 ? value : mapTexts(value, names.text);
  }

  /** Lines of JSON; one that is none is hidden in as text. Lines without a secret stay byte for byte. */
  jsonLines(text: string): string {
    if (this.secrets.size === 0) return text;
    return text
      .split("\n")
      .map((line) => this.jsonLine(line))
      .join("\n");
  }

  /** For a text that comes in pieces, at whose borders a secret may be cut. */
  pieces(): MaskedPieces {
    this.finder ??= new TextFinder([...this.secrets].flatMap((secret) => [...formsOf(secret)]));
    return new MaskedPieces(this.finder);
  }

  private jsonLine(line: string): string {
    try {
      const value: unknown = JSON.parse(line);
      const hidden = JSON.stringify(this.json(value));
      return hidden === JSON.stringify(value) ? line : hidden;
    } catch {
      return this.text(line);
    }
  }

  private ofNames(): SecretMask {
    this.names ??= new SecretMask([...this.secrets].filter((secret) => secret.length >= LEAST_IN_NAMES));
    return this.names;
  }
}

export const NO_MASK = new SecretMask([]);

/** A part of what is held. `said`: three stars stand for it already. */
interface Span {
  start: number;
  end: number;
  said: boolean;
}

/** One text in pieces. What may be the beginning of a secret is held until more has come, or the end. */
export class MaskedPieces {
  private state = TextFinder.START;
  private held = "";
  private spans: Span[] = [];

  constructor(private readonly finder: TextFinder) {}

  /** What can be given out of all that has come so far. */
  push(piece: string): string {
    if (this.finder.isEmpty) return piece;
    for (let i = 0; i < piece.length; i++) {
      this.state = this.finder.step(this.state, piece.charCodeAt(i));
      const found = this.finder.found(this.state);
      if (found > 0) this.hide(this.held.length + i + 1 - found, this.held.length + i + 1);
    }
    this.held += piece;
    return this.giveOut(this.held.length - this.finder.begun(this.state));
  }

  /** What was held. */
  end(): string {
    this.state = TextFinder.START;
    return this.giveOut(this.held.length);
  }

  /** Where secrets overlap or touch they are hidden as one. */
  private hide(start: number, end: number): void {
    const span: Span = { start, end, said: false };
    for (let last = this.spans.at(-1); last && last.end >= start; last = this.spans.at(-1)) {
      this.spans.pop();
      span.start = Math.min(span.start, last.start);
      span.said ||= last.said;
    }
    this.spans.push(span);
  }

  private giveOut(to: number): string {
    let given = "";
    let at = 0;
    const rest: Span[] = [];
    for (const span of this.spans) {
      if (span.start >= to && to < this.held.length) rest.push(span);
      else {
        given += this.held.slice(at, span.start) + (span.said ? "" : HIDDEN);
        at = span.end;
        if (span.end > to) rest.push({ ...span, said: true });
      }
    }
    if (at < to) given += this.held.slice(at, to);
    this.held = this.held.slice(to);
    this.spans = rest.map(({ start, end, said }) => ({ start: Math.max(0, start - to), end: end - to, said }));
    return given;
  }
}
