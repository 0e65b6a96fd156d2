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

  toString(): string {
    const tail = this.tail.join("");
    const cut = cutAt(tail, Math.max(0, tail.length - this.tailLimit));
    const omitted = this.omittedBytes + Buffer.byteLength(tail.slice(0, cut));
    return omitted === 0 ? this.head + tail : `${this.head}${marker(omitted)}${tail.slice(cut)}`;
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

/**
 * A text of at most `limit` characters, and of at most twice as many bytes as JSON: its head and its tail,
 * a quarter and three quarters, for what went wrong is told at the end.
 */
export function excerpt(text: string, limit: number): string {
  for (let chars = limit; ; chars = Math.floor(chars / 2)) {
    const window = new OutputWindow(Math.floor((chars - MARKER_CHARS) / 4), Math.floor(((chars - MARKER_CHARS) * 3) / 4));
    if (text.length > chars) window.push(text);
    const short = text.length > chars ? window.toString() : text;
    if (Buffer.byteLength(JSON.stringify(short)) <= 2 * limit || chars < 4 * MARKER_CHARS) return short;
  }
}

const MARKER_CHARS = 60;
