/**
 * What a workflow file imports as `longhaul`. It loads in Temporal's sandbox, so nothing here may reach
 * Node, a server or a database.
 */
export type { ArtifactType, FileType } from "../contract/artifact.js";
export type { RetryPolicy } from "../contract/retry.js";
export type { RunStatus as WorkflowStatus } from "../contract/run.js";
export type { StepStatus } from "../contract/step.js";
export { type Agent, claude, codex, gemini, grok } from "./agents.js";
export type * from "./context.js";
export {
  type ActivityFunctions,
  activityTypes,
  createWorkflow,
  DEFAULT_TIMEOUT_MS,
  DefinitionError,
  defineWorkflow,
  type WorkflowConfig,
  type WorkflowDefinition,
} from "./define-workflow.js";
export type * from "./panel.js";
export { StepFailed } from "./step-failed.js";
export type * from "./waiting.js";
