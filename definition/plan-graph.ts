import type { Plan, PlanStep } from "../contract/plan.js";
import type { GraphFlow, PlannedStep, WorkflowGraph } from "../contract/workflow-graph.js";
import { type GraphNode, graphOf } from "./graph.js";

/** The graph of a plan's steps, with what is known of each before any run. */
export function planGraph({ name, flow, steps, ...rest }: Plan): Omit<WorkflowGraph, "workflow_id" | "revision"> {
  const { nodes, levels, topologicalOrder } = graphOf(steps);
  const byKey = new Map(nodes.map((node) => [node.stepKey, node]));
  return {
    name,
    flow: flowOf(flow),
    nodes: steps.map((step) => ({ ...planned(step), ...placeOf(byKey.get(step.key)) })),
    levels,
    order: topologicalOrder,
    on_failure: (rest.on_failure ?? []).map(planned),
    finally: (rest.finally ?? []).map(planned),
  };
}

function flowOf(flow: Plan["flow"]): GraphFlow {
  if (flow.kind === "loop") return { kind: "loop", max_iterations: flow.max_iterations };
  return { kind: "graph", by_level: flow.by_level, concurrency: flow.concurrency ?? null };
}

function planned({ key, name, work, phase, optional, condition, for_each }: PlanStep): PlannedStep {
  return {
    key,
    name: name ?? key,
    kind: work.kind,
    phase: phase ?? null,
    optional: optional ?? false,
    conditional: condition !== undefined,
    for_each: for_each !== undefined,
  };
}

function placeOf(node: GraphNode | undefined): Pick<GraphNode, "dependencies" | "dependents" | "level"> {
  if (!node) throw new Error("Every step is a node of its graph.");
  const { dependencies, dependents, level } = node;
  return { dependencies, dependents, level };
}
