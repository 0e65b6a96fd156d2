import { z } from "zod";
import { Artifact } from "./artifact.js";
import { Id } from "./id.js";
import { Json } from "./json.js";
import { Time } from "./time.js";

export const CommentType = z.enum(["user", "system", "agent"]);
export type CommentType = z.infer<typeof CommentType>;

/** Something said about a run or one of its steps, by a person, an agent or the system. */
export const Comment = z.object({
  id: Id,
  run_id: Id,
  workflow_run_id: Id,
  step_id: z.string().nullable(),
  workflow_run_step_id: z.string().nullable(),
  text: z.string(),
  comment_type: CommentType,
  metadata: Json,
  created_by: z.string().nullable(),
  creator: z.object({ id: Id, name: z.string() }).nullable(),
  artifacts: z.array(Artifact),
  created_at: Time,
  updated_at: Time,
});
export type Comment = z.infer<typeof Comment>;
