/** Finds the line and column, both from 1, of an offset in a text. */
export class Lines {
  private readonly starts: number[] = [0];
  /** The line found last: the next one asked for is mostly the same or the one after it. */
  private last = 0;

  constructor(text: string) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.starts.push(at + 1);
  }

  at(offset: number): { line: number; column: number } {
    let low = this.start(this.last) <= offset ? this.last : 0;
    let high = this.start(this.last + 2) > offset ? Math.min(this.last + 1, this.starts.length - 1) : this.starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.start(middle) <= offset) low = middle;
      else high = middle - 1;
    }
    this.last = low;
    return { line: low + 1, column: offset - this.start(low) + 1 };
  }

  private start(line: number): number {
    return this.starts[line] ?? Number.POSITIVE_INFINITY;
  }
}
