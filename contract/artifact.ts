import { z } from "zod";
import { Id } from "./id.js";
import { Json } from "./json.js";
import { Time } from "./time.js";

export const ArtifactType = z.enum([
  "screenshot",
  "log_file",
  "session_file",
  "test_report",
  "build_output",
  "document",
  "other",
]);
export type ArtifactType = z.infer<typeof ArtifactType>;

export const FileType = z.enum(["image", "video", "document", "code", "other"]);
export type FileType = z.infer<typeof FileType>;

/** A file a run produced or was given. `file_path` is relative to the project. */
export const Artifact = z.object({
  id: Id,
  run_id: Id,
  workflow_run_id: Id,
  step_id: z.string().nullable(),
  workflow_run_step_id: z.string().nullable(),
  agent_session_id: z.string().nullable(),
  workflow_comment_id: z.string().nullable(),
  name: z.string(),
  file_path: z.string(),
  storage_path: z.string(),
  storage_type: z.literal("filesystem"),
  type: ArtifactType,
  file_type: FileType,
  mime_type: z.string(),
  size_bytes: z.int(),
  sha256: z.string(),
  version: z.int(),
  metadata: Json,
  created_at: Time,
  updated_at: Time,
});
export type Artifact = z.infer<typeof Artifact>;

/** The part of an artifact's row that is told: everything that the aliases do not repeat. */
export type ArtifactRow = Omit<
  Artifact,
  | "workflow_run_id"
  | "workflow_run_step_id"
  | "storage_path"
  | "storage_type"
  | "workflow_comment_id"
  | "created_at"
  | "updated_at"
>;
