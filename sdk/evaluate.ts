import type { CodeProgram } from "../contract/run-spec.js";
import type { WorkflowDefinition } from "./define-workflow.js";

/** A V8 stack counts two lines more in the text of `new Function` than there are. */
const FUNCTION_LINES = 2;

/**
 * Evaluate a compiled definition file and give the definition it exports.
 *
 * @param modules what the code may `require`: an allow-list, by name.
 * @param globals what stands for globals of these names.
 * @throws whatever the file's top level throws.
 */
export function evaluateProgram(
  { code, file }: Pick<CodeProgram, "code" | "file">,
  modules: Record<string, unknown>,
  globals: Record<string, unknown> = {},
): WorkflowDefinition {
  const require = (name: string): unknown => {
    if (Object.hasOwn(modules, name)) return modules[name];
    throw new Error(`"${name}" cannot be used in a workflow's body. Move what needs it into the file's exported \`activities\`.`);
  };
  const module = { exports: {} as { default?: WorkflowDefinition } };
  const names = ["module", "exports", "require", ...Object.keys(globals)];
  const evaluate = new Function(...names, `${code}\n//# sourceURL=${sourceName(file)}`);
  evaluate(module, module.exports, require, ...Object.values(globals));

  const definition = module.exports.default;
  if (typeof definition?.execute !== "function") {
    throw new Error(`${file} has no workflow as its default export: write export default defineWorkflow({ … }).`);
  }
  return definition;
}

/** A line of the author's own text. */
export interface Place {
  file: string;
  line: number | null;
}

/** Where in the author's file an error arose; null when its stack names no line of it. */
export function placeOf(error: unknown, { file, lines, sources }: Pick<CodeProgram, "file" | "lines" | "sources">): Place | null {
  if (!(error instanceof Error) || !error.stack) return null;
  const name = sourceName(file).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const found = new RegExp(`${name}:(\\d+)`).exec(error.stack);
  if (!found) return null;
  const mapped = lines[Number(found[1]) - FUNCTION_LINES - 1];
  return mapped ? { file: sources[mapped[0]] ?? file, line: mapped[1] } : { file, line: null };
}

function sourceName(file: string): string {
  return `longhaul/${file}`;
}
