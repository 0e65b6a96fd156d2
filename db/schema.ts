import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  bigserial,
  boolean,
  check,
  customType,
  index,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import type { RunHeader } from "../contract/fact.js";
import type { Json, JsonObject } from "../contract/json.js";
import type { LogLevel } from "../contract/log.js";
import type { RunError, RunStatus, WaitingFor } from "../contract/run.js";
import type { StepError, StepKind, StepStatus } from "../contract/step.js";
import type { LoadError } from "../contract/workflow.js";

/**
 * Two schemas. `app` is data: nothing else holds it. `mirror` is a projection of Temporal's histories
 * and the run folders, dropped and built again by `rebuild`. Foreign keys go from mirror to app.
 */
export const app = pgSchema("app");
export const mirror = pgSchema("mirror");

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" });
/** Drizzle's own takes a text that looks like JSON for what it looks like: "12" for 12. */
const jsonb = customType<{ data: unknown; driverData: string }>({
  dataType: () => "jsonb",
  toDriver: (value) => JSON.stringify(value),
});
const tsvector = customType<{ data: string }>({ dataType: () => "tsvector" });

/** The words of a column's first 20,000 characters, in no language: marks and signs part them, so that `issue_to_pr` is three. */
const wordsOf = (column: string) =>
  `to_tsvector('pg_catalog.simple'::regconfig, regexp_replace(left(coalesce(${column}, ''), 20000), '[!-/:-@[-\`{-~]+', ' ', 'g'))`;

const createdAt = () => moment("created_at").notNull().defaultNow();
const updatedAt = () => moment("updated_at").notNull().defaultNow();

export const users = app.table("users", {
  id: text("id").primaryKey(),
  name: text("name").notNull(),
  createdAt: createdAt(),
});

export const projects = app.table("projects", {
  id: text("id").primaryKey(),
  name: text("name").notNull(),
  path: text("path").notNull().unique(),
  repoOwner: text("repo_owner"),
  repoName: text("repo_name"),
  repoDefaultBranch: text("repo_default_branch"),
  settings: jsonb("settings").$type<JsonObject>().notNull().default({}),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
});

export const tokens = app.table("tokens", {
  id: text("id").primaryKey(),
  userId: text("user_id")
    .notNull()
    .references(() => users.id, { onDelete: "cascade" }),
  name: text("name").notNull(),
  /** sha256 of the token, hex. */
  hash: text("hash").notNull().unique(),
  createdAt: createdAt(),
  expiresAt: moment("expires_at"),
});

export const secrets = app.table(
  "secrets",
  {
    projectId: text("project_id")
      .notNull()
      .references(() => projects.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    /** Sealed: never as it was given. */
    value: text("value").notNull(),
    updatedAt: updatedAt(),
  },
  (t) => [primaryKey({ columns: [t.projectId, t.name] })],
);

export const workflows = app.table(
  "workflows",
  {
    id: text("id").primaryKey(),
    projectId: text("project_id").references(() => projects.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    slug: text("slug").notNull(),
    description: text("description"),
    type: text("type").$type<"code" | "yaml" | "json">().notNull(),
    dialect: text("dialect").notNull(),
    filePath: text("file_path"),
    revision: integer("revision").notNull().default(0),
    version: text("version"),
    phases: jsonb("phases").$type<string[]>().notNull().default([]),
    argsSchema: jsonb("args_schema").$type<Json>(),
    config: jsonb("config").$type<Json>().notNull().default({}),
    timeoutMs: bigint("timeout_ms", { mode: "number" }).notNull().default(3_600_000),
    tags: jsonb("tags").$type<string[]>().notNull().default([]),
    author: text("author"),
    isActive: boolean("is_active").notNull().default(true),
    isTemplate: boolean("is_template").notNull().default(true),
    source: text("source").$type<"file" | "api" | "builtin">().notNull(),
    loadError: jsonb("load_error").$type<LoadError>(),
    /** Set when the file is gone and runs still name it. */
    archivedAt: moment("archived_at"),
    /** What searches look at, the name weighing most. */
    search: tsvector("search").generatedAlwaysAs(
      sql.raw(
        [
          `setweight(${wordsOf("name || ' ' || slug")}, 'A')`,
          `setweight(${wordsOf("tags::text")}, 'B')`,
          `setweight(${wordsOf("author")}, 'C')`,
          `setweight(${wordsOf("description")}, 'D')`,
        ].join(" || "),
      ),
    ),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    unique("workflows_project_slug").on(t.projectId, t.slug).nullsNotDistinct(),
    index("workflows_name_active").on(t.name, t.isActive),
    index("workflows_search").using("gin", t.search),
    index("workflows_tags").using("gin", t.tags.op("jsonb_path_ops")),
  ],
);

export const workflowVersions = app.table(
  "workflow_versions",
  {
    workflowId: text("workflow_id")
      .notNull()
      .references(() => workflows.id, { onDelete: "cascade" }),
    revision: integer("revision").notNull(),
    hash: text("hash").notNull(),
    /** The definition as written. */
    source: text("source").notNull(),
    /** `Program` of contract/run-spec.ts. */
    program: jsonb("program").$type<Json>(),
    activitiesCode: text("activities_code"),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.workflowId, t.revision] }), index("workflow_versions_hash").on(t.workflowId, t.hash)],
);

/** Kept 24 hours. Written before anything is asked of Temporal, completed with the answer. */
export const idempotencyKeys = app.table("idempotency_keys", {
  key: text("key").primaryKey(),
  userId: text("user_id").notNull(),
  route: text("route").notNull(),
  /** sha256 of the canonical body, hex. */
  bodyHash: text("body_hash").notNull(),
  /** The id chosen for what the request makes. */
  resourceId: text("resource_id").notNull(),
  status: integer("status"),
  response: jsonb("response").$type<Json>(),
  createdAt: createdAt(),
});

export const audit = app.table("audit", {
  id: bigserial("id", { mode: "number" }).primaryKey(),
  at: moment("at").notNull().defaultNow(),
  userId: text("user_id"),
  action: text("action").notNull(),
  subject: text("subject"),
  data: jsonb("data").$type<Json>().notNull().default({}),
});

/** Deleted runs, so that neither narration nor rebuild brings them back. */
export const tombstones = app.table("tombstones", {
  runId: text("run_id").primaryKey(),
  at: moment("at").notNull().defaultNow(),
});

/** Usage limits that agents' turns have met: until then none is begun on the account. */
export const accountLimits = app.table(
  "account_limits",
  {
    provider: text("provider").notNull(),
    /** A hash of the credentials. */
    account: text("account").notNull(),
    /** Null: of the whole account; else of this model of it, as steps name it. */
    model: text("model"),
    until: moment("until").notNull(),
    message: text("message").notNull(),
    createdAt: createdAt(),
  },
  (t) => [unique("account_limits_of").on(t.provider, t.account, t.model).nullsNotDistinct()],
);

export const runs = mirror.table(
  "runs",
  {
    id: text("id").primaryKey(),
    projectId: text("project_id")
      .notNull()
      .references(() => projects.id, { onDelete: "cascade" }),
    userId: text("user_id")
      .notNull()
      .references(() => users.id),
    workflowId: text("workflow_id")
      .notNull()
      .references(() => workflows.id, { onDelete: "restrict" }),
    workflowRevision: integer("workflow_revision").notNull(),
    name: text("name").notNull(),
    status: text("status").$type<RunStatus>().notNull(),
    header: jsonb("header").$type<RunHeader>().notNull(),
    input: jsonb("input").$type<Json>().notNull(),
    output: jsonb("output").$type<Json>(),
    error: jsonb("error").$type<RunError>(),
    state: jsonb("state").$type<JsonObject>().notNull().default({}),
    context: jsonb("context").$type<JsonObject>().notNull().default({}),
    currentPhase: text("current_phase"),
    currentStage: text("current_stage"),
    currentStepIndex: integer("current_step_index").notNull().default(0),
    iteration: integer("iteration").notNull().default(1),
    currentWorkflowStepId: text("current_workflow_step_id").references((): AnyPgColumn => steps.id, { onDelete: "set null" }),
    waitingFor: jsonb("waiting_for").$type<WaitingFor>(),
    branchName: text("branch_name"),
    commitSha: text("commit_sha"),
    prUrl: text("pr_url"),
    repoOwner: text("repo_owner"),
    repoName: text("repo_name"),
    issueNumber: integer("issue_number"),
    prNumber: integer("pr_number"),
    logFilePath: text("log_file_path").notNull(),
    triggeredBy: text("triggered_by"),
    priority: integer("priority"),
    parentRunId: text("parent_run_id"),
    resumeCount: integer("resume_count").notNull().default(0),
    temporalRunId: text("temporal_run_id"),
    /** The narrated place that last set the status: an earlier one told later does not. */
    statusSeq: integer("status_seq").notNull().default(0),
    /** A status that a person asked for and narration has not confirmed: what was told before it does not move it. */
    pendingRequest: text("pending_request"),
    pendingAt: moment("pending_at"),
    /** The last event's seq; the next event of this run gets the next number. */
    eventSeq: integer("event_seq").notNull().default(0),
    startedAt: moment("started_at"),
    completedAt: moment("completed_at"),
    pausedAt: moment("paused_at"),
    cancelledAt: moment("cancelled_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index("runs_workflow_status").on(t.workflowId, t.status),
    index("runs_project_status").on(t.projectId, t.status),
    index("runs_current_step").on(t.currentWorkflowStepId),
    index("runs_branch").on(t.branchName),
    index("runs_parent").on(t.parentRunId),
    index("runs_started_at").on(t.startedAt),
    index("runs_created_at").on(t.createdAt, t.id),
  ],
);

/** One Temporal execution of a run, and how far its narration has been written. */
export const executions = mirror.table(
  "executions",
  {
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    execution: text("execution").notNull(),
    /** All facts 1..told are written. */
    told: integer("told").notNull().default(0),
    /** Set when the history was replayed after its end and the rows agree with it. */
    settledAt: moment("settled_at"),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.execution] }), index("executions_unsettled").on(t.settledAt)],
);

/** Digest of each written fact, to know a repetition from a later, different telling. */
export const facts = mirror.table(
  "facts",
  {
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    execution: text("execution").notNull(),
    seq: integer("seq").notNull(),
    digest: text("digest").notNull(),
    /** Told again with other content: what the first telling left in the rows is put right at the run's end. */
    retold: boolean("retold").notNull().default(false),
  },
  (t) => [primaryKey({ columns: [t.runId, t.execution, t.seq] })],
);

export const steps = mirror.table(
  "steps",
  {
    id: text("id").primaryKey(),
    runId: text("run_id")
      .notNull()
      .references((): AnyPgColumn => runs.id, { onDelete: "cascade" }),
    stepNumber: integer("step_number").notNull(),
    stepKey: text("step_id").notNull(),
    name: text("name").notNull(),
    phase: text("phase"),
    kind: text("kind").$type<StepKind>().notNull(),
    status: text("status").$type<StepStatus>().notNull(),
    iteration: integer("iteration").notNull().default(1),
    attemptNumber: integer("attempt_number").notNull().default(1),
    maxAttempts: integer("max_attempts").notNull().default(3),
    input: jsonb("input").$type<Json>(),
    output: jsonb("output").$type<Json>(),
    error: jsonb("error").$type<StepError>(),
    waitingFor: jsonb("waiting_for").$type<WaitingFor>(),
    logDirectoryPath: text("log_directory_path"),
    agentSessionId: text("agent_session_id"),
    /** The Temporal execution whose narration, at `status_seq`, last set the status. */
    execution: text("execution"),
    statusSeq: integer("status_seq").notNull().default(0),
    /** The run was restored to what it was before this step: another has taken its place. */
    superseded: boolean("superseded").notNull().default(false),
    startedAt: moment("started_at"),
    completedAt: moment("completed_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    unique("steps_run_number").on(t.runId, t.stepNumber),
    index("steps_run_status").on(t.runId, t.status),
    index("steps_name_status").on(t.name, t.status),
  ],
);

export const stepAttempts = mirror.table(
  "step_attempts",
  {
    stepId: text("step_id")
      .notNull()
      .references(() => steps.id, { onDelete: "cascade" }),
    number: integer("number").notNull(),
    status: text("status").notNull(),
    error: jsonb("error").$type<StepError>(),
    startedAt: moment("started_at"),
    completedAt: moment("completed_at"),
  },
  (t) => [primaryKey({ columns: [t.stepId, t.number] })],
);

/** What was said to approvals, and to what agents ask. */
export const approvalAnswers = mirror.table(
  "approval_answers",
  {
    id: text("id").primaryKey(),
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    stepId: text("step_id")
      .notNull()
      .references(() => steps.id, { onDelete: "cascade" }),
    request: text("request"),
    answer: text("answer").$type<"approve" | "reject" | "delegate">().notNull(),
    /** No foreign key: an answer stays whosever it was. */
    by: text("by"),
    delegate: text("delegate"),
    comment: text("comment"),
    fields: jsonb("fields").$type<Json>(),
    decided: boolean("decided").notNull(),
    at: moment("at").notNull(),
  },
  (t) => [index("approval_answers_run").on(t.runId, t.at), index("approval_answers_step").on(t.stepId)],
);

export const agentSessions = mirror.table(
  "agent_sessions",
  {
    id: text("id").primaryKey(),
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    workflowStepId: text("workflow_step_id").references(() => steps.id, { onDelete: "cascade" }),
    name: text("name"),
    agent: text("agent").notNull(),
    model: text("model"),
    providerSessionId: text("provider_session_id"),
    status: text("status").notNull(),
    sessionFilePath: text("session_file_path"),
    usage: jsonb("usage").$type<Json>(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [index("agent_sessions_step").on(t.workflowStepId), index("agent_sessions_run").on(t.runId)],
);

export const toolCalls = mirror.table(
  "tool_calls",
  {
    id: text("id").primaryKey(),
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    stepId: text("step_id").references(() => steps.id, { onDelete: "cascade" }),
    agentSessionId: text("agent_session_id").references(() => agentSessions.id, { onDelete: "cascade" }),
    tool: text("tool").notNull(),
    input: jsonb("input").$type<Json>(),
    output: jsonb("output").$type<Json>(),
    isError: boolean("is_error").notNull().default(false),
    at: moment("at").notNull(),
  },
  (t) => [index("tool_calls_step").on(t.stepId)],
);

export const comments = mirror.table(
  "comments",
  {
    id: text("id").primaryKey(),
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    stepId: text("step_id").references(() => steps.id, { onDelete: "cascade" }),
    text: text("text").notNull(),
    commentType: text("comment_type").$type<"user" | "system" | "agent">().notNull(),
    metadata: jsonb("metadata").$type<JsonObject>().notNull().default({}),
    createdBy: text("created_by").references(() => users.id, { onDelete: "set null" }),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index("comments_run_created").on(t.runId, t.createdAt),
    index("comments_step_created").on(t.stepId, t.createdAt),
    check("comments_type", sql`${t.commentType} in ('user', 'system', 'agent')`),
  ],
);

export const artifacts = mirror.table(
  "artifacts",
  {
    id: text("id").primaryKey(),
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    stepId: text("step_id").references(() => steps.id, { onDelete: "cascade" }),
    agentSessionId: text("agent_session_id").references(() => agentSessions.id, { onDelete: "set null" }),
    workflowCommentId: text("workflow_comment_id").references(() => comments.id, { onDelete: "set null" }),
    name: text("name").notNull(),
    filePath: text("file_path").notNull(),
    storageType: text("storage_type").notNull().default("filesystem"),
    type: text("type").notNull(),
    fileType: text("file_type").notNull(),
    mimeType: text("mime_type").notNull(),
    sizeBytes: bigint("size_bytes", { mode: "number" }).notNull(),
    sha256: text("sha256").notNull(),
    version: integer("version").notNull().default(1),
    metadata: jsonb("metadata").$type<Json>().notNull().default({}),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index("artifacts_run_type").on(t.runId, t.type),
    index("artifacts_step").on(t.stepId),
    index("artifacts_session").on(t.agentSessionId),
    index("artifacts_comment").on(t.workflowCommentId),
    check("artifacts_path_relative", sql`left(${t.filePath}, 1) <> '/'`),
  ],
);

export const checkpoints = mirror.table(
  "checkpoints",
  {
    id: text("id").primaryKey(),
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    stepNumber: integer("step_number").notNull(),
    stepId: text("step_id").notNull(),
    state: jsonb("state").$type<JsonObject>().notNull(),
    context: jsonb("context").$type<JsonObject>().notNull(),
    /** Those finished since the checkpoint before: a reader adds up. */
    completedSteps: jsonb("completed_steps").$type<string[]>().notNull(),
    pendingSteps: jsonb("pending_steps").$type<string[]>().notNull(),
    label: text("label"),
    createdBy: text("created_by").notNull(),
    commitSha: text("commit_sha"),
    treeSha: text("tree_sha"),
    treeShared: boolean("tree_shared").notNull().default(false),
    sizeBytes: integer("size_bytes").notNull(),
    createdAt: createdAt(),
  },
  (t) => [index("checkpoints_run").on(t.runId, t.stepNumber)],
);

/** The record of all that happened. Rows never change. */
export const events = mirror.table(
  "events",
  {
    id: bigserial("id", { mode: "number" }).primaryKey(),
    /** `pg_current_snapshot`-comparable id of the writing transaction: the global feed's cursor. */
    xid: text("xid").notNull().default(sql`pg_current_xact_id()::text`),
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    seq: integer("seq").notNull(),
    key: text("key").notNull(),
    type: text("type").notNull(),
    data: jsonb("data").$type<JsonObject>().notNull(),
    at: moment("at").notNull(),
  },
  (t) => [
    unique("events_run_seq").on(t.runId, t.seq),
    uniqueIndex("events_run_key").on(t.runId, t.key),
    index("events_at").on(t.at),
    /** What a run was when: for the time it was running. */
    index("events_status").on(t.runId, t.seq).where(sql`${t.type} = 'workflow.execution.status_changed'`),
    /** The order of the stream of all runs' events. */
    index("events_place").on(sql`(${t.xid}::xid8)`, t.id),
  ],
);

/** Output of steps and lines of `ctx.log`, by step, attempt and offset. */
export const logChunks = mirror.table(
  "log_chunks",
  {
    id: bigserial("id", { mode: "number" }).primaryKey(),
    runId: text("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    stepId: text("step_id"),
    attempt: integer("attempt").notNull().default(1),
    stream: text("stream").$type<"log" | "stdout" | "stderr">().notNull(),
    level: text("level").$type<LogLevel>().notNull(),
    offset: bigint("offset", { mode: "number" }).notNull().default(0),
    text: text("text").notNull(),
    at: moment("at").notNull(),
  },
  (t) => [index("log_chunks_run").on(t.runId, t.id), index("log_chunks_step").on(t.stepId, t.attempt, t.id)],
);
