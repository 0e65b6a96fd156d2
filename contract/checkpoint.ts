import { z } from "zod";
import { Id } from "./id.js";
import { Json } from "./json.js";
import { Time } from "./time.js";

/** A finished step and the code state it left. */
export const Checkpoint = z.object({
  id: Id,
  run_id: Id,
  step_number: z.int(),
  step_id: z.string(),
  state: Json,
  context: Json,
  completed_steps: z.array(z.string()),
  pending_steps: z.array(z.string()),
  label: z.string().nullable(),
  created_by: z.enum(["automatic", "user"]),
  commit_sha: z.string().nullable(),
  size_bytes: z.int(),
  created_at: Time,
});
export type Checkpoint = z.infer<typeof Checkpoint>;
