import type { Problem } from "../contract/errors.js";
import type { Place } from "./node.js";

/** No list of problems grows longer: a file of ten thousand wrong steps is understood after a hundred. */
export const MOST_PROBLEMS = 100;

/** Collects what is wrong with a definition, in the order of the file. */
export class Problems {
  private readonly found: Problem[] = [];

  add(at: Place, message: string): void {
    this.found.push({ path: at.path, message, line: at.line, column: at.column });
  }

  get some(): boolean {
    return this.found.length > 0;
  }

  /** By line and column; what is beyond `MOST_PROBLEMS` is counted in a last one. */
  list(): Problem[] {
    const sorted = this.found.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
    const more = sorted.length - MOST_PROBLEMS;
    if (more <= 0) return sorted;
    return [...sorted.slice(0, MOST_PROBLEMS), { path: "", message: `There are ${more} more problems like these.` }];
  }
}

/** Ends the reading of a file: nothing after this place can be understood. */
export class Unreadable extends Error {
  constructor(
    readonly offset: number,
    message: string,
    readonly path = "",
  ) {
    super(message);
  }
}
