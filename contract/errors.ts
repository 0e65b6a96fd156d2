/** A problem the reader can fix, placed where they can find it. */
export interface Problem {
  /** Path into the body or definition, e.g. `steps[2].needs[0]`; a file for code. */
  path: string;
  message: string;
  line?: number | undefined;
  column?: number | undefined;
}

/** What came in is not valid: a body, a query, a definition, a run's input. Carries every problem found. */
export class InvalidError extends Error {
  override readonly name = "InvalidError";

  constructor(
    message: string,
    readonly problems: readonly Problem[] = [],
  ) {
    super(message);
  }
}

/** Nothing has this id. */
export class NotFoundError extends Error {
  override readonly name = "NotFoundError";

  constructor(noun: string, id: string) {
    super(`There is no ${noun} ${id}.`);
  }
}

/** The request fits, but not the state things are in. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";

  constructor(
    message: string,
    readonly code = "conflict",
  ) {
    super(message);
  }
}

/** A server that Longhaul stands on does not answer just now. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";

  constructor(
    readonly what: "postgres" | "temporal",
    cause?: unknown,
  ) {
    super(`${what === "postgres" ? "Postgres" : "Temporal"} does not answer. Nothing was changed; try again.`, { cause });
  }
}
