CREATE SCHEMA IF NOT EXISTS "mirror";
--> statement-breakpoint
CREATE TABLE "mirror"."agent_sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"run_id" text NOT NULL,
	"workflow_step_id" text,
	"name" text,
	"agent" text NOT NULL,
	"model" text,
	"provider_session_id" text,
	"status" text NOT NULL,
	"session_file_path" text,
	"usage" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mirror"."artifacts" (
	"id" text PRIMARY KEY NOT NULL,
	"run_id" text NOT NULL,
	"step_id" text,
	"agent_session_id" text,
	"workflow_comment_id" text,
	"name" text NOT NULL,
	"file_path" text NOT NULL,
	"storage_type" text DEFAULT 'filesystem' NOT NULL,
	"type" text NOT NULL,
	"file_type" text NOT NULL,
	"mime_type" text NOT NULL,
	"size_bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "artifacts_path_relative" CHECK (left("mirror"."artifacts"."file_path", 1) <> '/')
);
--> statement-breakpoint
CREATE TABLE "mirror"."checkpoints" (
	"id" text PRIMARY KEY NOT NULL,
	"run_id" text NOT NULL,
	"step_number" integer NOT NULL,
	"step_id" text NOT NULL,
	"state" jsonb NOT NULL,
	"context" jsonb NOT NULL,
	"completed_steps" jsonb NOT NULL,
	"pending_steps" jsonb NOT NULL,
	"label" text,
	"created_by" text NOT NULL,
	"commit_sha" text,
	"tree_sha" text,
	"tree_shared" boolean DEFAULT false NOT NULL,
	"size_bytes" integer NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mirror"."comments" (
	"id" text PRIMARY KEY NOT NULL,
	"run_id" text NOT NULL,
	"step_id" text,
	"text" text NOT NULL,
	"comment_type" text NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_by" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "comments_type" CHECK ("mirror"."comments"."comment_type" in ('user', 'system', 'agent'))
);
--> statement-breakpoint
CREATE TABLE "mirror"."events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"xid" text DEFAULT pg_current_xact_id()::text NOT NULL,
	"run_id" text NOT NULL,
	"seq" integer NOT NULL,
	"key" text NOT NULL,
	"type" text NOT NULL,
	"data" jsonb NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "events_run_seq" UNIQUE("run_id","seq")
);
--> statement-breakpoint
CREATE TABLE "mirror"."executions" (
	"run_id" text NOT NULL,
	"execution" text NOT NULL,
	"told" integer DEFAULT 0 NOT NULL,
	"settled_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "executions_run_id_execution_pk" PRIMARY KEY("run_id","execution")
);
--> statement-breakpoint
CREATE TABLE "mirror"."facts" (
	"run_id" text NOT NULL,
	"execution" text NOT NULL,
	"seq" integer NOT NULL,
	"digest" text NOT NULL,
	"retold" boolean DEFAULT false NOT NULL,
	CONSTRAINT "facts_run_id_execution_seq_pk" PRIMARY KEY("run_id","execution","seq")
);
--> statement-breakpoint
CREATE TABLE "mirror"."log_chunks" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"run_id" text NOT NULL,
	"step_id" text,
	"attempt" integer DEFAULT 1 NOT NULL,
	"stream" text NOT NULL,
	"level" text NOT NULL,
	"offset" bigint DEFAULT 0 NOT NULL,
	"text" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mirror"."runs" (
	"id" text PRIMARY KEY NOT NULL,
	"project_id" text NOT NULL,
	"user_id" text NOT NULL,
	"workflow_id" text NOT NULL,
	"workflow_revision" integer NOT NULL,
	"name" text NOT NULL,
	"status" text NOT NULL,
	"header" jsonb NOT NULL,
	"input" jsonb NOT NULL,
	"output" jsonb,
	"error" jsonb,
	"state" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"context" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"current_phase" text,
	"current_stage" text,
	"current_step_index" integer DEFAULT 0 NOT NULL,
	"iteration" integer DEFAULT 1 NOT NULL,
	"current_workflow_step_id" text,
	"waiting_for" jsonb,
	"branch_name" text,
	"commit_sha" text,
	"pr_url" text,
	"repo_owner" text,
	"repo_name" text,
	"issue_number" integer,
	"pr_number" integer,
	"log_file_path" text NOT NULL,
	"triggered_by" text,
	"priority" integer,
	"parent_run_id" text,
	"resume_count" integer DEFAULT 0 NOT NULL,
	"temporal_run_id" text,
	"status_seq" integer DEFAULT 0 NOT NULL,
	"pending_request" text,
	"event_seq" integer DEFAULT 0 NOT NULL,
	"started_at" timestamp (3) with time zone,
	"completed_at" timestamp (3) with time zone,
	"paused_at" timestamp (3) with time zone,
	"cancelled_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mirror"."step_attempts" (
	"step_id" text NOT NULL,
	"number" integer NOT NULL,
	"status" text NOT NULL,
	"error" jsonb,
	"started_at" timestamp (3) with time zone,
	"completed_at" timestamp (3) with time zone,
	CONSTRAINT "step_attempts_step_id_number_pk" PRIMARY KEY("step_id","number")
);
--> statement-breakpoint
CREATE TABLE "mirror"."steps" (
	"id" text PRIMARY KEY NOT NULL,
	"run_id" text NOT NULL,
	"step_number" integer NOT NULL,
	"step_id" text NOT NULL,
	"name" text NOT NULL,
	"phase" text,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"iteration" integer DEFAULT 1 NOT NULL,
	"attempt_number" integer DEFAULT 1 NOT NULL,
	"max_attempts" integer DEFAULT 3 NOT NULL,
	"input" jsonb,
	"output" jsonb,
	"error" jsonb,
	"log_directory_path" text,
	"agent_session_id" text,
	"execution" text,
	"status_seq" integer DEFAULT 0 NOT NULL,
	"started_at" timestamp (3) with time zone,
	"completed_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "steps_run_number" UNIQUE("run_id","step_number")
);
--> statement-breakpoint
CREATE TABLE "mirror"."tool_calls" (
	"id" text PRIMARY KEY NOT NULL,
	"run_id" text NOT NULL,
	"step_id" text,
	"agent_session_id" text,
	"tool" text NOT NULL,
	"input" jsonb,
	"output" jsonb,
	"is_error" boolean DEFAULT false NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "mirror"."agent_sessions" ADD CONSTRAINT "agent_sessions_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."agent_sessions" ADD CONSTRAINT "agent_sessions_workflow_step_id_steps_id_fk" FOREIGN KEY ("workflow_step_id") REFERENCES "mirror"."steps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."artifacts" ADD CONSTRAINT "artifacts_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."artifacts" ADD CONSTRAINT "artifacts_step_id_steps_id_fk" FOREIGN KEY ("step_id") REFERENCES "mirror"."steps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."artifacts" ADD CONSTRAINT "artifacts_agent_session_id_agent_sessions_id_fk" FOREIGN KEY ("agent_session_id") REFERENCES "mirror"."agent_sessions"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."artifacts" ADD CONSTRAINT "artifacts_workflow_comment_id_comments_id_fk" FOREIGN KEY ("workflow_comment_id") REFERENCES "mirror"."comments"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."checkpoints" ADD CONSTRAINT "checkpoints_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."comments" ADD CONSTRAINT "comments_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."comments" ADD CONSTRAINT "comments_step_id_steps_id_fk" FOREIGN KEY ("step_id") REFERENCES "mirror"."steps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."comments" ADD CONSTRAINT "comments_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "app"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."events" ADD CONSTRAINT "events_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."executions" ADD CONSTRAINT "executions_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."facts" ADD CONSTRAINT "facts_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."log_chunks" ADD CONSTRAINT "log_chunks_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."runs" ADD CONSTRAINT "runs_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "app"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."runs" ADD CONSTRAINT "runs_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "app"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."runs" ADD CONSTRAINT "runs_workflow_id_workflows_id_fk" FOREIGN KEY ("workflow_id") REFERENCES "app"."workflows"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."runs" ADD CONSTRAINT "runs_current_workflow_step_id_steps_id_fk" FOREIGN KEY ("current_workflow_step_id") REFERENCES "mirror"."steps"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."step_attempts" ADD CONSTRAINT "step_attempts_step_id_steps_id_fk" FOREIGN KEY ("step_id") REFERENCES "mirror"."steps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."steps" ADD CONSTRAINT "steps_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."tool_calls" ADD CONSTRAINT "tool_calls_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."tool_calls" ADD CONSTRAINT "tool_calls_step_id_steps_id_fk" FOREIGN KEY ("step_id") REFERENCES "mirror"."steps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."tool_calls" ADD CONSTRAINT "tool_calls_agent_session_id_agent_sessions_id_fk" FOREIGN KEY ("agent_session_id") REFERENCES "mirror"."agent_sessions"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "agent_sessions_step" ON "mirror"."agent_sessions" USING btree ("workflow_step_id");--> statement-breakpoint
CREATE INDEX "agent_sessions_run" ON "mirror"."agent_sessions" USING btree ("run_id");--> statement-breakpoint
CREATE INDEX "artifacts_run_type" ON "mirror"."artifacts" USING btree ("run_id","type");--> statement-breakpoint
CREATE INDEX "artifacts_step" ON "mirror"."artifacts" USING btree ("step_id");--> statement-breakpoint
CREATE INDEX "artifacts_session" ON "mirror"."artifacts" USING btree ("agent_session_id");--> statement-breakpoint
CREATE INDEX "artifacts_comment" ON "mirror"."artifacts" USING btree ("workflow_comment_id");--> statement-breakpoint
CREATE INDEX "checkpoints_run" ON "mirror"."checkpoints" USING btree ("run_id","step_number");--> statement-breakpoint
CREATE INDEX "comments_run_created" ON "mirror"."comments" USING btree ("run_id","created_at");--> statement-breakpoint
CREATE INDEX "comments_step_created" ON "mirror"."comments" USING btree ("step_id","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "events_run_key" ON "mirror"."events" USING btree ("run_id","key");--> statement-breakpoint
CREATE INDEX "events_at" ON "mirror"."events" USING btree ("at");--> statement-breakpoint
CREATE INDEX "executions_unsettled" ON "mirror"."executions" USING btree ("settled_at");--> statement-breakpoint
CREATE INDEX "log_chunks_run" ON "mirror"."log_chunks" USING btree ("run_id","id");--> statement-breakpoint
CREATE INDEX "log_chunks_step" ON "mirror"."log_chunks" USING btree ("step_id","attempt","id");--> statement-breakpoint
CREATE INDEX "runs_workflow_status" ON "mirror"."runs" USING btree ("workflow_id","status");--> statement-breakpoint
CREATE INDEX "runs_project_status" ON "mirror"."runs" USING btree ("project_id","status");--> statement-breakpoint
CREATE INDEX "runs_current_step" ON "mirror"."runs" USING btree ("current_workflow_step_id");--> statement-breakpoint
CREATE INDEX "runs_branch" ON "mirror"."runs" USING btree ("branch_name");--> statement-breakpoint
CREATE INDEX "runs_started_at" ON "mirror"."runs" USING btree ("started_at");--> statement-breakpoint
CREATE INDEX "runs_created_at" ON "mirror"."runs" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "steps_run_status" ON "mirror"."steps" USING btree ("run_id","status");--> statement-breakpoint
CREATE INDEX "steps_name_status" ON "mirror"."steps" USING btree ("name","status");--> statement-breakpoint
CREATE INDEX "tool_calls_step" ON "mirror"."tool_calls" USING btree ("step_id");