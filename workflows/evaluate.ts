import * as temporal from "@temporalio/workflow";
import * as zod from "zod";
import { SIGNAL } from "../contract/messages.js";
import type { Program } from "../contract/run-spec.js";
import type { WorkflowDefinition } from "../sdk/index.js";
import * as longhaul from "../sdk/index.js";

/** A V8 stack counts two lines more in the text of `new Function` than there are. */
const FUNCTION_LINES = 2;

/**
 * Evaluate a run's code and give the definition it exports.
 *
 * `require` is an allow-list: `longhaul`, `zod`, and a facade of `@temporalio/workflow`. The sandbox keeps
 * runs deterministic; it is no border against the author, who may run a shell step anyway.
 *
 * @throws whatever the file's top level throws.
 */
export function evaluate({ code, file }: Program): WorkflowDefinition {
  const modules: Record<string, unknown> = { longhaul, zod, "@temporalio/workflow": facade };
  const require = (name: string): unknown => {
    if (Object.hasOwn(modules, name)) return modules[name];
    throw new Error(`"${name}" cannot be used in a workflow's body. Move what needs it into the file's exported \`activities\`.`);
  };
  const module = { exports: {} as { default?: WorkflowDefinition } };
  new Function("module", "exports", "require", `${code}\n//# sourceURL=${sourceName(file)}`)(module, module.exports, require);

  const definition = module.exports.default;
  if (typeof definition?.execute !== "function") {
    throw new Error(`${file} has no workflow as its default export: export default defineWorkflow({ … }).`);
  }
  return definition;
}

/** Where in the author's file an error arose, as `file:line`; null when the stack names no line of it. */
export function placeOf(error: unknown, program: Program): string | null {
  if (!(error instanceof Error) || !error.stack) return null;
  const name = sourceName(program.file).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const found = new RegExp(`${name}:(\\d+)`).exec(error.stack);
  if (!found) return null;
  const [source, line] = program.lines[Number(found[1]) - FUNCTION_LINES - 1] ?? [0, null];
  return line === null ? program.file : `${program.sources[source] ?? program.file}:${line}`;
}

function sourceName(file: string): string {
  return `longhaul/${file}`;
}

/** `@temporalio/workflow` without what would break the engine's promises. */
const { proxySinks: _s, continueAsNew: _c, makeContinueAsNewFunc: _m, startChild: _st, executeChild: _e, ...allowed } = temporal;
const facade = {
  ...allowed,
  setHandler(definition: { name: string }, ...rest: unknown[]) {
    if (Object.values<string>(SIGNAL).includes(definition.name))
      throw new Error(`"${definition.name}" is a signal of Longhaul's own.`);
    return (temporal.setHandler as (...args: unknown[]) => void)(definition, ...rest);
  },
};
