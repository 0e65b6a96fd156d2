import type { z } from "zod";
import { LONGEST_MS } from "../contract/duration.js";
import { problemOfBudget } from "./budget.js";
import type { BudgetOption, WorkflowContext } from "./context.js";

/** A run that takes longer ends as `timed_out`: an hour of running time. */
export const DEFAULT_TIMEOUT_MS = 3_600_000;

/** Plain async Node functions that a workflow file exports as `activities`. Arguments and results are JSON. */
// biome-ignore lint/suspicious/noExplicitAny: any function is welcome here; its own types are kept by inference
export type ActivityFunctions = Record<string, (...args: any[]) => unknown>;

export interface WorkflowConfig<
  Input extends z.ZodType = z.ZodType,
  Activities extends ActivityFunctions = Record<never, never>,
> {
  /** What people see and type to start it. Unique within a project. */
  name: string;

  description?: string;

  /** Your own version text, e.g. `1.2.0`. Longhaul counts revisions by content besides. */
  version?: string;

  /** Columns of the board, in order. A step says its own by `phase`. */
  phases?: readonly string[];

  /** Checked before a run starts. A run that is refused here never reaches Temporal. */
  input?: Input;

  /** Another name for `input`. */
  argsSchema?: Input;

  /** `activityTypes<typeof activities>()`: gives `ctx.activities` the types of this file's own activities. */
  activities?: Activities;

  /**
   * Milliseconds of running time a run may take; pauses and waits do not count. 0 = no limit.
   *
   * @default 3600000
   */
  timeout?: number;

  /** What the agents of a run and of all runs under it may spend together. */
  budget?: BudgetOption;

  /** Anything else you want to keep with the definition, as JSON. */
  config?: Record<string, unknown>;
}

export interface WorkflowDefinition<
  Input extends z.ZodType = z.ZodType,
  Activities extends ActivityFunctions = Record<never, never>,
> extends WorkflowConfig<Input, Activities> {
  timeout: number;
  execute: (ctx: WorkflowContext<z.output<Input>, Activities>) => Promise<unknown>;
}

/** The definition itself is wrong; the message names the field. */
export class DefinitionError extends Error {
  override readonly name = "DefinitionError";
}

/**
 * Describe a workflow: its name, its input, and what it does. Export it as the file's default.
 *
 * `execute` may take weeks. Each step on `ctx` is a checkpoint: after a crash the function runs again from
 * the top, and steps that were finished give back what they gave the first time. Between two steps, do
 * nothing that would differ the second time: the world is touched through `ctx` alone. `Date.now()` and
 * `Math.random()` are safe, they are the run's own.
 *
 * @throws {DefinitionError} naming the field that is missing or wrong.
 *
 * @example
 * ```ts
 * export default defineWorkflow({
 *   name: "release",
 *   input: z.object({ tag: z.string() }),
 *   async execute(ctx) {
 *     await ctx.shell("npm test");
 *     await ctx.shell(`npm version ${ctx.input.tag}`, { name: "version" });
 *     await ctx.git.push();
 *   },
 * });
 * ```
 */
export function defineWorkflow<Input extends z.ZodType, Activities extends ActivityFunctions = Record<never, never>>(
  definition: WorkflowConfig<Input, Activities> & {
    execute: (ctx: WorkflowContext<z.output<Input>, Activities>) => Promise<unknown>;
  },
): WorkflowDefinition<Input, Activities> {
  const { name, execute, timeout = DEFAULT_TIMEOUT_MS } = definition;
  if (typeof name !== "string" || name.trim() === "") {
    throw new DefinitionError('`name` is missing: give the workflow a name, e.g. name: "release".');
  }
  if (typeof execute !== "function") {
    throw new DefinitionError(`\`execute\` of "${name}" is missing: give an async function of ctx.`);
  }
  if (typeof timeout !== "number" || !(timeout >= 0 && timeout <= LONGEST_MS)) {
    throw new DefinitionError(`\`timeout\` of "${name}" is not a number of milliseconds, from 0 (none) to ten years.`);
  }
  const wrong = problemOfBudget(definition.budget);
  if (wrong !== null) throw new DefinitionError(`\`budget\` of "${name}" ${wrong}.`);
  const input = definition.input ?? definition.argsSchema;
  return { ...definition, ...(input ? { input } : {}), timeout, execute };
}

/** `defineWorkflow` with the function apart: the same definition, written in the other order. */
export function createWorkflow<Input extends z.ZodType, Activities extends ActivityFunctions = Record<never, never>>(
  config: WorkflowConfig<Input, Activities>,
  execute: (ctx: WorkflowContext<z.output<Input>, Activities>) => Promise<unknown>,
): WorkflowDefinition<Input, Activities> {
  return defineWorkflow({ ...config, execute });
}

/**
 * The types of a file's activities, without the functions: they run outside the workflow, so the body may
 * know their types alone.
 *
 * @example `activities: activityTypes<typeof activities>()`
 */
export function activityTypes<Activities extends ActivityFunctions>(): Activities {
  return {} as Activities; // never called: ctx.activities finds them by name
}
