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
  /** Keys of steps that were under way then, and of those that a plan had still before it; of code the latter are not known. */
  pending_steps: z.array(z.string()),
  label: z.string().nullable(),
  created_by: z.enum(["automatic", "user"]),
  /** Holds the whole tree as this step left it; null of a step that cannot write, and without git. */
  commit_sha: z.string().nullable(),
  tree_sha: z.string().nullable(),
  /** Other steps wrote to the same tree while it was kept: it may hold a part of what they did. */
  tree_shared: z.boolean(),
  size_bytes: z.int(),
  created_at: Time,
});
export type Checkpoint = z.infer<typeof Checkpoint>;

/** The commit in which the whole tree lies as it was then: the checkpoint's own, else of the last one before it that has one. */
export const CheckpointTree = z.object({ commit_sha: z.string(), step_number: z.int(), ref: z.string() });
export type CheckpointTree = z.infer<typeof CheckpointTree>;

/** A step's result as checkpoints tell it; a long one names in `data` the file that has it: `{"$file": path}`. */
export const StepResult = z.object({ stepId: z.string(), status: z.literal("completed"), data: Json });
export type StepResult = z.infer<typeof StepResult>;

/** A checkpoint with all that it stands on. */
export const WholeCheckpoint = Checkpoint.extend({
  /** By the step's key; of several doings the last. */
  step_results: z.record(z.string(), StepResult),
  tree: CheckpointTree.nullable(),
  /** Of its file, relative to the project; null for those that have none: past 200 steps only every fiftieth has. */
  file_path: z.string().nullable(),
});
export type WholeCheckpoint = z.infer<typeof WholeCheckpoint>;

/** Whether a run could be brought back to a checkpoint, and what is wrong. */
export const CheckpointCheck = z.object({
  checkpoint_id: Id,
  run_id: Id,
  valid: z.boolean(),
  problems: z.array(z.object({ part: z.enum(["tree", "file", "steps"]), message: z.string() })),
  tree: CheckpointTree.nullable(),
  file_path: z.string().nullable(),
  /** Steps whose results were read back. */
  steps: z.int(),
});
export type CheckpointCheck = z.infer<typeof CheckpointCheck>;

const Sums = {
  count: z.int(),
  size_bytes: z.int(),
  latest_at: Time.nullable(),
  oldest_at: Time.nullable(),
  oldest_age_ms: z.int().nullable(),
};

export const CheckpointStats = z.object({
  ...Sums,
  /** Those with the most bytes first, a hundred at most. */
  runs: z.array(z.object({ run_id: Id, name: z.string(), ...Sums })),
});
export type CheckpointStats = z.infer<typeof CheckpointStats>;

/** A line of text of a person's own. */
export const CheckpointLabel = z.string().trim().min(1).max(200);
