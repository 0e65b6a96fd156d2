import { createHash } from "node:crypto";
import type { StepResult } from "../contract/checkpoint.js";
import type { Json } from "../contract/json.js";
import { runFolderPath } from "./run-folder.js";
import type { checkpoints } from "./schema.js";

type CheckpointRow = typeof checkpoints.$inferSelect;

/** Each file lists all steps before it: past this many steps only every fiftieth and those that were asked for get one. */
const FILED_STEPS = 200;

/** Where a checkpoint's file lies in its run's folder; null when it has none. */
export function checkpointFile({
  id,
  stepNumber,
  createdBy,
}: Pick<CheckpointRow, "id" | "stepNumber" | "createdBy">): string | null {
  if (createdBy !== "automatic") return `checkpoints/step-${stepNumber}-${id.split("-").at(-1)}.json`;
  return stepNumber <= FILED_STEPS || stepNumber % 50 === 0 ? `checkpoints/step-${stepNumber}.json` : null;
}

/** The same, relative to the project. */
export function checkpointFilePath(row: CheckpointRow): string | null {
  const file = checkpointFile(row);
  return file && `${runFolderPath(row.runId)}/${file}`;
}

export interface FiledCheckpoint {
  row: CheckpointRow;
  phase: string | null;
  completed: string[];
  pending: string[];
  results: readonly StepResult[];
}

/** What a checkpoint's file says. `sha256` is that of all before it, as JSON without spaces. */
export function checkpointContent({ row, phase, completed, pending, results }: FiledCheckpoint): object {
  const told = results.map(({ stepId, status, data }): [string, StepResult] => [stepId, { stepId, status, data }]);
  const content = {
    execution_id: row.runId,
    checkpoint_id: row.id,
    timestamp: row.createdAt,
    current_phase: phase,
    current_step_index: completed.length,
    completed_step_ids: completed,
    pending_step_ids: pending,
    step_results: Object.fromEntries(told),
    state: row.state,
    context: row.context,
    commit_sha: row.commitSha,
    tree_sha: row.treeSha,
    tree_shared: row.treeShared,
  };
  return { ...content, sha256: digest(content) };
}

/** What a checkpoint's file says, read back; null when it is not what was written. */
export function readCheckpointFile(text: string): Record<string, Json> | null {
  try {
    const { sha256, ...content }: Record<string, Json> = JSON.parse(text);
    return sha256 === digest(content) ? content : null;
  } catch {
    return null;
  }
}

function digest(content: object): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}
