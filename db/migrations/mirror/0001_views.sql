-- Views for readers, in schema public, under the names by which such tables are commonly known.
-- They go when schema mirror is dropped and come back with it.

CREATE OR REPLACE VIEW public.workflow_definitions AS
SELECT
  w.id, w.project_id, w.name, w.slug, w.description, w.version, w.revision, w.type, w.dialect,
  w.file_path, w.file_path AS path, w.phases, w.args_schema, w.config, v.source AS definition, w.timeout_ms, w.tags, w.author,
  w.is_active, w.is_active AS enabled, w.is_template,
  coalesce(s.executions, 0) AS total_executions,
  coalesce(s.successful, 0) AS successful_executions,
  s.average_duration_ms,
  w.created_at, w.updated_at
FROM app.workflows w
LEFT JOIN app.workflow_versions v ON v.workflow_id = w.id AND v.revision = w.revision
LEFT JOIN (
  SELECT
    workflow_id,
    count(*) AS executions,
    count(*) FILTER (WHERE status = 'completed') AS successful,
    (avg(extract(epoch FROM completed_at - started_at)) FILTER (WHERE status = 'completed') * 1000)::bigint AS average_duration_ms
  FROM mirror.runs
  GROUP BY workflow_id
) s ON s.workflow_id = w.id;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_runs AS
SELECT
  r.id, r.id AS run_id, r.project_id, r.user_id,
  r.workflow_id, r.workflow_id AS workflow_def_id, r.workflow_id AS workflow_definition_id, r.workflow_revision,
  r.name, r.status, r.input, r.input AS args, r.output, r.error, r.error ->> 'message' AS error_message, r.state, r.context,
  r.current_phase, r.current_stage, r.current_step_index, r.iteration, r.current_workflow_step_id, r.waiting_for,
  r.branch_name, r.commit_sha, r.pr_url, r.repo_owner, r.repo_name, r.issue_number, r.pr_number, r.log_file_path,
  r.triggered_by, r.priority, r.parent_run_id, r.parent_run_id AS parent_execution_id, r.resume_count,
  r.started_at, r.completed_at, r.paused_at, r.cancelled_at,
  (extract(epoch FROM r.completed_at - r.started_at) * 1000)::bigint AS duration,
  r.created_at, r.updated_at
FROM mirror.runs r;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_executions AS
SELECT * FROM public.workflow_runs;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_steps AS
SELECT
  s.id, s.run_id, s.run_id AS workflow_run_id, s.run_id AS execution_id, s.step_number, s.step_id, s.name, s.phase, s.kind, s.status,
  s.iteration, s.attempt_number, s.max_attempts, s.attempt_number - 1 AS retry_count,
  s.input, s.output, s.error, s.error ->> 'message' AS error_message,
  s.log_directory_path, s.log_directory_path || '/events.jsonl' AS log_file_path, s.agent_session_id,
  s.started_at, s.completed_at, (extract(epoch FROM s.completed_at - s.started_at) * 1000)::bigint AS duration,
  s.created_at, s.updated_at
FROM mirror.steps s;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_step_executions AS
SELECT * FROM public.workflow_steps;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_comments AS
SELECT
  c.id, c.run_id, c.run_id AS workflow_run_id, c.run_id AS execution_id, c.step_id, c.step_id AS workflow_run_step_id,
  c.text, c.text AS message, c.comment_type, c.metadata, c.created_by, c.created_at, c.updated_at
FROM mirror.comments c;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_artifacts AS
SELECT
  a.id, a.run_id, a.run_id AS workflow_run_id, a.run_id AS execution_id, a.step_id, a.step_id AS workflow_run_step_id,
  a.agent_session_id, a.workflow_comment_id, a.name, a.type, a.file_type, a.file_path, a.file_path AS storage_path, a.storage_type,
  a.mime_type, a.size_bytes, a.sha256, a.version, a.metadata, a.created_at, a.updated_at
FROM mirror.artifacts a;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_checkpoints AS
SELECT
  c.id, c.run_id, c.run_id AS execution_id, c.step_number, c.step_id, c.state, c.context, c.completed_steps, c.pending_steps,
  c.label, c.created_by, c.commit_sha, c.size_bytes, c.created_at
FROM mirror.checkpoints c;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.agent_sessions AS
SELECT
  s.id, s.run_id, s.workflow_step_id, s.name, s.agent, s.model, s.provider_session_id, s.status, s.session_file_path, s.usage,
  s.created_at, s.updated_at
FROM mirror.agent_sessions s;
--> statement-breakpoint
-- The audit trail. A status becomes the name of what happened; what has no such name keeps its own, with underscores.
CREATE OR REPLACE VIEW public.workflow_events AS
SELECT
  e.id, e.run_id, e.run_id AS execution_id, e.seq,
  CASE
    WHEN e.type = 'workflow.execution.status_changed' THEN
      CASE e.data ->> 'status'
        WHEN 'pending' THEN 'workflow_created'
        WHEN 'running' THEN
          CASE
            WHEN e.before IS NULL OR e.before = 'pending' THEN 'workflow_started'
            WHEN e.before = 'waiting' THEN 'workflow_continued'
            ELSE 'workflow_resumed'
          END
        WHEN 'timed_out' THEN 'workflow_failed'
        ELSE 'workflow_' || (e.data ->> 'status')
      END
    WHEN e.type = 'workflow.step.completed' THEN 'step_' || (e.data ->> 'status')
    WHEN e.type = 'workflow.execution.restored' THEN 'checkpoint_restored'
    WHEN e.type LIKE 'workflow.execution.%' THEN 'workflow_' || substr(e.type, 20)
    ELSE replace(substr(e.type, 10), '.', '_')
  END AS type,
  e.type AS event, e.data, e.at AS "timestamp"
FROM (
  SELECT
    *,
    CASE WHEN type = 'workflow.execution.status_changed' THEN
      lag(data ->> 'status') OVER (PARTITION BY run_id, type ORDER BY seq)
    END AS before
  FROM mirror.events
) e;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_execution_summary AS
SELECT
  r.id, r.id AS execution_id, r.workflow_id, w.name AS workflow_name, r.project_id, r.name, r.status, r.current_phase, r.current_step_index,
  count(s.id) AS total_steps,
  count(s.id) FILTER (WHERE s.status = 'completed') AS completed_steps,
  count(s.id) FILTER (WHERE s.status = 'failed') AS failed_steps,
  count(s.id) FILTER (WHERE s.status = 'skipped') AS skipped_steps,
  coalesce(sum(s.attempt_number - 1), 0) AS retries,
  (SELECT count(*) FROM mirror.checkpoints c WHERE c.run_id = r.id) AS checkpoints,
  r.triggered_by, r.priority, r.error ->> 'message' AS error_message,
  r.started_at, r.completed_at, (extract(epoch FROM r.completed_at - r.started_at) * 1000)::bigint AS duration, r.created_at
FROM mirror.runs r
JOIN app.workflows w ON w.id = r.workflow_id
LEFT JOIN mirror.steps s ON s.run_id = r.id
GROUP BY r.id, w.name;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_step_summary AS
SELECT
  r.workflow_id, w.name AS workflow_name, s.step_id, s.name, s.kind,
  count(*) AS executions,
  count(*) FILTER (WHERE s.status = 'completed') AS successful,
  count(*) FILTER (WHERE s.status = 'failed') AS failed,
  sum(s.attempt_number - 1) AS retries,
  (avg(extract(epoch FROM s.completed_at - s.started_at)) * 1000)::bigint AS average_duration,
  (min(extract(epoch FROM s.completed_at - s.started_at)) * 1000)::bigint AS shortest_duration,
  (max(extract(epoch FROM s.completed_at - s.started_at)) * 1000)::bigint AS longest_duration
FROM mirror.steps s
JOIN mirror.runs r ON r.id = s.run_id
JOIN app.workflows w ON w.id = r.workflow_id
GROUP BY r.workflow_id, w.name, s.step_id, s.name, s.kind;
--> statement-breakpoint
CREATE OR REPLACE VIEW public.workflow_recent_runs AS
SELECT
  r.id, r.id AS execution_id, r.workflow_id, w.name AS workflow_name, r.project_id, r.name, r.status, r.triggered_by,
  r.started_at, r.completed_at, (extract(epoch FROM r.completed_at - r.started_at) * 1000)::bigint AS duration, r.created_at
FROM mirror.runs r
JOIN app.workflows w ON w.id = r.workflow_id
ORDER BY r.created_at DESC, r.id DESC
LIMIT 100;
