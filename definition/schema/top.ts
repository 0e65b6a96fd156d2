import { anyMap, BUDGET, duration, line, list, onlyOne, ref, type Schema, text } from "./parts.js";

/** Keys at the top of a definition of every dialect. */
export function topProperties(dialect: string): Schema {
  return {
    $schema: { description: "Where this schema is, for editors." },
    dialect: { const: dialect, description: "Says that the file is of this dialect, where its shape leaves that open." },
    name: line("What people type to start it; its own within a project."),
    description: text("What it does.", { maxLength: 10_000 }),
    version: line("Your own version."),
    author: line("Who wrote it."),
    tags: list("By which it is found.", line("A tag.")),
    phases: list("The phases of a run, in order; left out: those of its steps.", line("A phase.")),
    input: anyMap("JSON schema of a run's input."),
    argsSchema: anyMap("JSON schema of a run's input."),
    activities: text("The file whose exported functions steps call, from here.", {
      pattern: "^[^/\\\\:][^\\\\:]*\\.[cm]?[jt]s$",
      maxLength: 500,
    }),
    timeout: duration("Of a run, without pauses and waits; 0: none; left out: an hour.", { least: 1000, zero: true }),
    budget: BUDGET,
    on_failure: list("Steps that are done when the run has failed.", ref("step")),
    finally: list("Steps that are done whatever happens.", ref("step")),
  };
}

/** As `URL_SAFE` of the compiler. */
export const URL_SAFE = "^[A-Za-z0-9_-]{1,100}$";

/** Of keys of steps. */
export const KEY: Schema = { pattern: "^[\\p{L}\\p{N}_-]+$", maxLength: 100 };

export const TOP_RULES: Schema[] = onlyOne("input", "argsSchema");

/** A whole schema. */
export function schema(title: string, description: string, rest: Schema): Schema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title,
    description,
    type: "object",
    additionalProperties: false,
    ...rest,
  };
}
