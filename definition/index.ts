export { Checkpoint } from "../contract/checkpoint.js";
export type { Problem } from "../contract/errors.js";
export type { Plan } from "../contract/plan.js";
export { isFinished, Run, RunStatus } from "../contract/run.js";
export { Step } from "../contract/step.js";
export { Workflow } from "../contract/workflow.js";
export { isTerminalState, statusOfState, WorkflowState } from "../contract/workflow-state.js";
export { type CompileResult, compile } from "./compile.js";
export { toDag } from "./dag.js";
export type { ExportResult } from "./export.js";
export type { Graph, GraphNode } from "./graph.js";
export { DependencyCycleError, WorkflowParseError } from "./parse-errors.js";
export { parseFile } from "./parse-file.js";
export {
  buildDependencyGraph,
  extractPlaceholders,
  parseJSON,
  parseYAML,
  renderPrompt,
  resolveContextValue,
  toJSON,
  toYAML,
  validate,
  WorkflowConfig,
  WorkflowDefinition,
  WorkflowStep,
} from "./parser.js";
export { toPhases } from "./phases.js";
export { RenderError } from "./render.js";
export { toStages } from "./stages.js";
export { toTools } from "./tools.js";
