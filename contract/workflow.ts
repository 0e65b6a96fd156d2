import { z } from "zod";
import { Id } from "./id.js";
import { Json } from "./json.js";
import { Time } from "./time.js";

export const Dialect = z.enum(["typescript", "phases", "stages", "dag", "tools"]);
export type Dialect = z.infer<typeof Dialect>;

/** Why a definition file could not be loaded, and where in it. Lines and columns count from 1. */
export const LoadError = z.object({
  message: z.string(),
  file: z.string(),
  line: z.int().nullable(),
  column: z.int().nullable(),
  /** All of them, when there are several; the first is the one above. */
  problems: z
    .array(z.object({ path: z.string(), message: z.string(), line: z.int().optional(), column: z.int().optional() }))
    .optional(),
});
export type LoadError = z.infer<typeof LoadError>;

/** A definition, versioned by content: `revision` counts contents, from 1. */
export const Workflow = z.object({
  id: Id,
  project_id: Id.nullable(),
  name: z.string(),
  slug: z.string(),
  description: z.string().nullable(),
  type: z.enum(["code", "yaml", "json"]),
  dialect: Dialect,
  path: z.string().nullable(),
  revision: z.int(),
  version: z.string().nullable(),
  phases: z.array(z.string()),
  args_schema: Json.nullable(),
  config: Json,
  timeout_ms: z.int(),
  tags: z.array(z.string()),
  author: z.string().nullable(),
  enabled: z.boolean(),
  is_active: z.boolean(),
  is_template: z.boolean(),
  source: z.enum(["file", "api", "builtin"]),
  load_error: LoadError.nullable(),
  stats: z.object({
    executions: z.int(),
    successful: z.int(),
    success_rate: z.number().nullable(),
    average_duration_ms: z.int().nullable(),
  }),
  created_at: Time,
  updated_at: Time,
});
export type Workflow = z.infer<typeof Workflow>;
