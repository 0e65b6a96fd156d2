import type { Problem } from "../contract/errors.js";

/** A definition that cannot be read; carries every problem. */
export class WorkflowParseError extends Error {
  override readonly name: string = "WorkflowParseError";

  constructor(
    message: string,
    readonly problems: readonly Problem[] = [],
  ) {
    super(message);
  }
}

/** Steps that wait for each other. */
export class DependencyCycleError extends WorkflowParseError {
  override readonly name = "DependencyCycleError";

  /** @param cycle keys of steps, each depending on the next; the last is the first again */
  constructor(readonly cycle: readonly string[]) {
    super(`Dependency cycle detected: ${cycle.join(" → ")}`);
  }
}
