/** Where text may be cut: not between the halves of a character outside the basic plane. */
export function cutAt(text: string, at: number): number {
  const before = text.charCodeAt(at - 1);
  return before >= 0xd800 && before <= 0xdbff ? at - 1 : at;
}

/**
 * The head and the tail of a text of any length, in bounded memory. What comes between is left out, and its
 * place says how much it was.
 */
export class OutputWindow {
  private head = "";
  private tail: string[] = [];
  private tailChars = 0;
  private omittedBytes = 0;

  /** @param headChars of the beginning. @param tailChars of the end; up to as much again is held meanwhile. */
  constructor(
    private readonly headChars: number,
    private readonly tailLimit: number,
  ) {}

  push(text: string): void {
    const room = cutAt(text, Math.min(text.length, Math.max(0, this.headChars - this.head.length)));
    // Once something is past the head, all is: the order of the text stays.
    if (this.tailChars === 0 && this.omittedBytes === 0) {
      this.head += text.slice(0, room);
      text = text.slice(room);
    }
    if (text === "") return;
    this.tail.push(text);
    this.tailChars += text.length;
    while (this.tail.length > 1 && this.tailChars - this.tail[0]!.length >= this.tailLimit) this.omit(this.tail.shift()!);
  }

  /** @param share of head and tail to give, at most 1. */
  toString(share = 1): string {
    const tail = this.tail.join("");
    const tailLimit = Math.floor(this.tailLimit * share);
    const from = cutAt(tail, Math.max(0, tail.length - tailLimit));
    const to = share === 1 ? this.head.length : cutAt(this.head, Math.floor(this.head.length * share));
    const omitted = this.omittedBytes + Buffer.byteLength(this.head.slice(to)) + Buffer.byteLength(tail.slice(0, from));
    return omitted === 0 ? this.head + tail : `${this.head.slice(0, to)}${marker(omitted)}${tail.slice(from)}`;
  }

  /** As much as is at most `bytes` long as JSON. */
  within(bytes: number): string {
    for (let share = 1; ; share /= 2) {
      const text = this.toString(share);
      if (share < 0.01 || Buffer.byteLength(JSON.stringify(text)) <= bytes) return text;
    }
  }

  private omit(text: string): void {
    this.tailChars -= text.length;
    this.omittedBytes += Buffer.byteLength(text);
  }
}

/** The line that stands for what was left out. */
export function marker(bytes: number): string {
  return `\n… ${bytes.toLocaleString("en-US")} bytes left out …\n`;
}

/** A window for a text of at most `limit` characters: a quarter head, the rest tail, for what went wrong is told at the end. */
export function excerptWindow(limit: number): OutputWindow {
  const head = Math.floor((limit - MARKER_CHARS) / 4);
  return new OutputWindow(head, limit - MARKER_CHARS - head);
}

/** The longest that `marker` gets. */
const MARKER_CHARS = 60;
