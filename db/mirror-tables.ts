/** The tables of schema `mirror`, for drizzle-kit, which generates a migration for what a file exports. */
export {
  agentSessions,
  approvalAnswers,
  artifacts,
  checkpoints,
  comments,
  events,
  executions,
  facts,
  logChunks,
  mirror,
  runs,
  stepAttempts,
  steps,
  toolCalls,
} from "./schema.js";
