/** What is found at a place of a text: how long it is, counted back from there, and how much of a text to find may have begun. */
interface Node {
  next: Map<number, number>;
  /** The node of the longest end of this one's text that is the beginning of a text to find. */
  fallback: number;
  /** Characters of the longest text to find that ends here; 0: none. */
  found: number;
  depth: number;
  /** As `depth`, of the longest end that can go on. */
  begun: number;
}

/**
 * Finds any of many texts in one pass over another (Aho and Corasick's automaton), which may come in pieces: the state after
 * one piece is where the next one begins.
 */
export class TextFinder {
  static readonly START = 0;
  private readonly nodes: Node[] = [{ next: new Map(), fallback: 0, found: 0, depth: 0, begun: 0 }];

  constructor(texts: Iterable<string>) {
    for (const text of texts) this.add(text);
    this.link();
  }

  /** Of no texts. */
  get isEmpty(): boolean {
    return this.nodes.length === 1;
  }

  /** The state after one more character. */
  step(state: number, char: number): number {
    let at = state;
    for (;;) {
      const next = this.at(at).next.get(char);
      if (next !== undefined) return next;
      if (at === TextFinder.START) return at;
      at = this.at(at).fallback;
    }
  }

  /** Characters, up to here, of the longest text found; 0: none ends here. */
  found(state: number): number {
    return this.at(state).found;
  }

  /** Characters, up to here, that may be the beginning of a text to find. */
  begun(state: number): number {
    return this.at(state).begun;
  }

  private add(text: string): void {
    let at = TextFinder.START;
    for (let i = 0; i < text.length; i++) {
      const { next, depth } = this.at(at);
      const known = next.get(text.charCodeAt(i));
      if (known === undefined) {
        next.set(text.charCodeAt(i), this.nodes.length);
        at = this.nodes.push({ next: new Map(), fallback: 0, found: 0, depth: depth + 1, begun: 0 }) - 1;
      } else at = known;
    }
    if (at !== TextFinder.START) this.at(at).found = text.length;
  }

  /** Shorter texts first: a fallback is always shorter. */
  private link(): void {
    const queue = [TextFinder.START];
    for (const at of queue) {
      const { next, fallback } = this.at(at);
      for (const [char, to] of next) {
        const node = this.at(to);
        node.fallback = at === TextFinder.START ? TextFinder.START : this.step(fallback, char);
        node.found ||= this.at(node.fallback).found;
        node.begun = node.next.size > 0 ? node.depth : this.at(node.fallback).begun;
        queue.push(to);
      }
    }
  }

  private at(node: number): Node {
    return this.nodes[node]!; // only numbers of nodes are ever given out
  }
}
