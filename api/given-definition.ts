import { z } from "zod";
import { InvalidError, type Problem } from "../contract/errors.js";
import { JsonObject } from "../contract/json.js";
import type { LoadedWorkflow, Loader } from "../contract/loader.js";
import { anyCase } from "./fields.js";

const NO_TYPESCRIPT =
  "A workflow in TypeScript is not taken here: save it to .agent/workflows/definitions of its project, where it is found at once.";

/** How a workflow in TypeScript begins, and nothing in YAML or JSON. */
export const TYPESCRIPT = /^\s*(?:import\s[^:]*from\s+["']|export\s+(?:default|const)\s)/;

const FileName = z
  .string()
  .min(1)
  .max(200)
  .refine((file) => /\.(ya?ml|json)$/i.test(file), {
    error: ({ input }) => `must end in .yaml, .yml or .json.${/\.[cm]?tsx?$/i.test(String(input)) ? ` ${NO_TYPESCRIPT}` : ""}`,
  });

/** A definition that comes with a request. */
export const definitionFields = {
  /** As JSON itself, or a text in YAML or JSON. */
  definition: z.union([z.string().min(1), JsonObject], "is needed: an object, or a text in YAML or JSON"),
  /** Of a text. Left out: as `file` ends, else as the text looks. */
  format: anyCase(["yaml", "json"], `is yaml or json. ${NO_TYPESCRIPT}`).optional(),
  /** What it is called; of stages this says the id. */
  file: FileName.optional(),
};
const GivenDefinition = z.strictObject(definitionFields);
export type GivenDefinition = z.output<typeof GivenDefinition>;

export interface CompiledDefinition {
  workflow: LoadedWorkflow;
  /** As it was written. */
  source: string;
}

/**
 * Compile a definition that came with a request.
 *
 * @throws {InvalidError} with every problem at its place in the definition; with lines, when that is a text.
 */
export async function compileGiven(loader: Loader, given: GivenDefinition): Promise<CompiledDefinition> {
  const { definition } = given;
  if (typeof definition === "string" && TYPESCRIPT.test(definition)) {
    throw new InvalidError(NO_TYPESCRIPT, [{ path: "definition", message: NO_TYPESCRIPT }]);
  }
  const isText = typeof definition === "string";
  const source = isText ? definition : JSON.stringify(definition, null, 2);
  const compiled = await loader.compileText(source, fileOf(given));
  if (compiled.ok) return { workflow: compiled.workflow, source };
  throw notRight(compiled.problems, { places: isText });
}

/** @param how.places whether lines and columns say something to whoever has written it */
export function notRight(found: readonly Problem[], { places }: { places: boolean }): InvalidError {
  const problems = places ? found : found.map(({ path, message }) => ({ path, message }));
  const [first, ...more] = problems;
  const others =
    more.length === 0 ? "" : ` There ${more.length === 1 ? "is 1 more problem" : `are ${more.length} more problems`}.`;
  return new InvalidError(`The definition is not right: ${first?.message ?? "it cannot be read."}${others}`, problems);
}

/** What it is called, by an ending that says what the text is. */
function fileOf({ definition, format, file }: GivenDefinition): string {
  const isJson = typeof definition !== "string" || (format === undefined && file === undefined && /^\s*\{/.test(definition));
  const wanted = isJson ? "json" : format;
  const ending = file === undefined ? undefined : /\.json$/i.test(file) ? "json" : "yaml";
  if (wanted === undefined || ending === undefined || wanted === ending) return file ?? `definition.${wanted ?? "yaml"}`;
  const message = `does not end as ${wanted} does, which the definition is`;
  throw new InvalidError(`file ${message}.`, [{ path: "file", message }]);
}
