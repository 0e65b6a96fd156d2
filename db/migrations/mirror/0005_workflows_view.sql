-- workflow_definitions by the other name it is known by, with the plan as its definition: null for code. A database that has something else of this name keeps it.
DO $$
BEGIN
  IF to_regclass('public.workflows') IS NULL THEN
    CREATE VIEW public.workflows AS
    SELECT
      d.id, d.project_id, d.name, d.slug, d.description, v.program -> 'plan' AS definition, d.version, d.revision, d.type, d.dialect, d.file_path,
      d.phases, d.args_schema, d.config, d.timeout_ms, d.tags, d.author, d.enabled, d.is_active, d.is_template,
      d.total_executions, d.successful_executions, d.average_duration_ms, d.average_duration_ms AS average_duration, d.created_at, d.updated_at
    FROM public.workflow_definitions d
    LEFT JOIN app.workflow_versions v ON v.workflow_id = d.id AND v.revision = d.revision;
  END IF;
END $$;
