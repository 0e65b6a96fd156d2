-- For readers, in schema public: the steps of each workflow's latest plan, and which waits for which. What became of them in runs is in workflow_step_executions.
CREATE OR REPLACE VIEW public.workflow_step_definitions AS
SELECT
  w.id AS workflow_id, w.name AS workflow_name, v.revision, p.part, s.position::int AS position,
  s.step ->> 'key' AS key, coalesce(s.step ->> 'name', s.step ->> 'key') AS name, s.step ->> 'phase' AS phase,
  s.step #>> '{work,kind}' AS kind,
  coalesce(s.step #>> '{work,role}', s.step #>> '{work,provider}') AS agent,
  -- As it was written, with {{ }} around references whatever the dialect has.
  CASE
    WHEN s.step #> '{work,prompt,literal}' IS NOT NULL THEN s.step #>> '{work,prompt,literal}'
    WHEN s.step #> '{work,prompt,ref}' IS NOT NULL THEN '{{' || (
      SELECT string_agg(r.name, '.' ORDER BY r.n)
      FROM jsonb_array_elements_text(s.step #> '{work,prompt,ref}') WITH ORDINALITY r (name, n)
      WHERE r.n > 1 OR r.name <> 'name'
    ) || '}}'
    ELSE (
      SELECT string_agg(
        CASE jsonb_typeof(t.piece)
          WHEN 'string' THEN t.piece #>> '{}'
          ELSE '{{' || (
            SELECT string_agg(r.name, '.' ORDER BY r.n)
            FROM jsonb_array_elements_text(t.piece) WITH ORDINALITY r (name, n)
            WHERE r.n > 1 OR r.name <> 'name'
          ) || '}}'
        END, '' ORDER BY t.n)
      FROM jsonb_array_elements(s.step #> '{work,prompt,text}') WITH ORDINALITY t (piece, n)
    )
  END AS prompt,
  s.step -> 'needs' AS dependencies,
  -- Others begin when it does: they wait for the same.
  p.part = 'steps' AND v.program #>> '{plan,flow,kind}' = 'graph' AND coalesce((v.program #>> '{plan,flow,concurrency}')::int, 2) > 1
    AND count(*) OVER (PARTITION BY w.id, p.part, s.step -> 'needs') > 1 AS parallel,
  coalesce((s.step ->> 'optional')::boolean, false) AS optional,
  (s.step ->> 'timeout_ms')::bigint AS timeout_ms,
  s.step -> 'retry' AS retry,
  coalesce((s.step #>> '{retry,maxAttempts}')::int - 1, 0) AS max_retries,
  s.step ->> 'on_failure' AS on_failure,
  s.step -> 'output_schema' AS output_schema,
  s.step -> 'work' AS work
FROM app.workflows w
JOIN app.workflow_versions v ON v.workflow_id = w.id AND v.revision = w.revision
CROSS JOIN (VALUES ('steps'), ('on_failure'), ('finally')) p (part)
CROSS JOIN LATERAL jsonb_array_elements(v.program #> ARRAY['plan', p.part]) WITH ORDINALITY s (step, position);
--> statement-breakpoint
-- to_step waits for from_step.
CREATE OR REPLACE VIEW public.workflow_dependencies AS
SELECT w.id AS workflow_id, w.name AS workflow_name, v.revision, n.from_step, s.step ->> 'key' AS to_step
FROM app.workflows w
JOIN app.workflow_versions v ON v.workflow_id = w.id AND v.revision = w.revision
CROSS JOIN LATERAL jsonb_array_elements(v.program #> '{plan,steps}') s (step)
CROSS JOIN LATERAL jsonb_array_elements_text(s.step -> 'needs') n (from_step);
