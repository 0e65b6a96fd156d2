import { z } from "zod";
import { StepKind } from "./step.js";

/** A step of a plan, as it is known before any run. */
export const PlannedStep = z.object({
  key: z.string(),
  name: z.string(),
  kind: StepKind,
  phase: z.string().nullable(),
  /** It may fail, and the run goes on. */
  optional: z.boolean(),
  /** It is skipped unless its condition is met. */
  conditional: z.boolean(),
  /** It is done once for each item of a list. */
  for_each: z.boolean(),
});
export type PlannedStep = z.infer<typeof PlannedStep>;

export const GraphStep = PlannedStep.extend({
  /** Keys of the steps that must be over before it begins. */
  dependencies: z.array(z.string()),
  /** Keys of the steps that wait for it, in the author's order. */
  dependents: z.array(z.string()),
  /** 0 without dependencies, else one more than the highest of theirs. */
  level: z.int(),
});
export type GraphStep = z.infer<typeof GraphStep>;

/** `graph`: each step once, `concurrency` of them at a time; null: no limit. `loop`: all of them, in at most so many passes. */
export const GraphFlow = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("graph"), by_level: z.boolean(), concurrency: z.int().nullable() }),
  z.object({ kind: z.literal("loop"), max_iterations: z.int() }),
]);
export type GraphFlow = z.infer<typeof GraphFlow>;

/** What a plan's steps are to one another. */
export const WorkflowGraph = z.object({
  workflow_id: z.string(),
  revision: z.int(),
  name: z.string(),
  flow: GraphFlow,
  nodes: z.array(GraphStep),
  /** The keys of each level. */
  levels: z.array(z.array(z.string())),
  /** Every key after those it depends on, else as the author has them. */
  order: z.array(z.string()),
  /** Done in order when the run has failed. */
  on_failure: z.array(PlannedStep),
  /** Done in order at the end, whatever happened. */
  finally: z.array(PlannedStep),
});
export type WorkflowGraph = z.infer<typeof WorkflowGraph>;
