/** The tables of schema `app`, for drizzle-kit, which generates a migration for what a file exports. */
export {
  accountLimits,
  app,
  audit,
  idempotencyKeys,
  projects,
  secrets,
  tokens,
  tombstones,
  users,
  workflows,
  workflowVersions,
} from "./schema.js";
