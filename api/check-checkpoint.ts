import { existsSync } from "node:fs";
import type { CheckpointCheck, CheckpointTree, WholeCheckpoint } from "../contract/checkpoint.js";
import { NotFoundError } from "../contract/errors.js";
import type { Json } from "../contract/json.js";
import { getArtifact } from "../db/artifacts.js";
import { readCheckpointFile } from "../db/checkpoint-file.js";
import { getCheckpoint, type StoredCheckpoint } from "../db/checkpoints.js";
import type { Database } from "../db/database.js";
import { runFolderPath } from "../db/run-folder.js";
import type { ApiContext } from "./context.js";
import { git, isRepository } from "./git.js";
import { hashOf, openRunFile, readRunText } from "./stored-file.js";

/** Bytes of a file that are read back. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Look whether all is there that a run needs to be brought back to a checkpoint. Changes nothing.
 *
 * @throws {NotFoundError}
 */
export async function checkCheckpoint({ db }: ApiContext, id: string): Promise<CheckpointCheck> {
  const stored = await getCheckpoint(db, id);
  const { checkpoint } = stored;
  const [tree, file, steps] = await Promise.all([treeProblem(stored), fileProblem(stored), stepProblems(db, stored)]);
  const problems = [
    ...(tree === null ? [] : [{ part: "tree" as const, message: tree }]),
    ...(file === null ? [] : [{ part: "file" as const, message: file }]),
    ...steps.map((message) => ({ part: "steps" as const, message })),
  ];
  const { run_id, tree: kept, file_path, step_results } = checkpoint;
  const read = { tree: kept, file_path, steps: Object.keys(step_results).length };
  return { checkpoint_id: id, run_id, valid: problems.length === 0, problems, ...read };
}

async function treeProblem({ checkpoint, project_path, tree_path }: StoredCheckpoint): Promise<string | null> {
  const { tree } = checkpoint;
  if (tree === null) return null;
  const repositories = [project_path, tree_path].filter((path) => existsSync(path)); // a clone keeps its own
  for (const path of repositories) {
    if (!(await isRepository(path))) continue;
    const named = await git(path, "rev-parse", "--verify", "--quiet", "--end-of-options", `${tree.ref}^{commit}`);
    if (named === null) continue;
    return (await objectProblem(path, tree, named)) ?? treeHashProblem(path, checkpoint);
  }
  return `The ref ${tree.ref}, which holds the tree, is gone. A run cannot be brought back to this checkpoint; those that come after a later step may be whole.`;
}

async function objectProblem(path: string, { commit_sha, ref }: CheckpointTree, named: string): Promise<string | null> {
  if (named !== commit_sha) return `The ref ${ref} names ${named}, and not ${commit_sha}, which this checkpoint was made with.`;
  const walked = await git(path, "rev-list", "--objects", "--no-walk", "--quiet", "--end-of-options", commit_sha);
  return walked === null ? `Objects of the commit ${commit_sha} are missing in ${path}: \`git fsck\` there says which.` : null;
}

async function treeHashProblem(path: string, { commit_sha, tree_sha }: WholeCheckpoint): Promise<string | null> {
  if (commit_sha === null || tree_sha === null) return null;
  const tree = await git(path, "rev-parse", "--verify", "--quiet", "--end-of-options", `${commit_sha}^{tree}`);
  return tree === tree_sha ? null : `The commit ${commit_sha} holds the tree ${tree}, and not ${tree_sha}.`;
}

async function fileProblem({ checkpoint, project_path }: StoredCheckpoint): Promise<string | null> {
  const { run_id, file_path } = checkpoint;
  if (file_path === null) return null;
  const read = await readRunText(project_path, run_id, { path: file_path, limit: MOST_BYTES });
  if (read === null) return `The file ${file_path} is not there. Of a run under way it may come within half a minute.`;
  const content = readCheckpointFile(read.text);
  if (content === null)
    return `The file ${file_path} is not as it was written: its sha256 does not agree with what stands in it.`;
  const told: Record<string, Json> = {
    execution_id: run_id,
    checkpoint_id: checkpoint.id,
    completed_step_ids: checkpoint.completed_steps,
    state: checkpoint.state,
    commit_sha: checkpoint.commit_sha,
  };
  const wrong = Object.keys(told).filter((field) => canonical(content[field]) !== canonical(told[field]));
  return wrong.length === 0 ? null : `The file ${file_path} says otherwise than the checkpoint: ${wrong.join(", ")}.`;
}

async function stepProblems(db: Database, { checkpoint, project_path }: StoredCheckpoint): Promise<string[]> {
  const { run_id, completed_steps, step_results } = checkpoint;
  const missing = [...new Set(completed_steps)].filter((key) => !Object.hasOwn(step_results, key));
  const problems = missing.map((key) => `The result of the step ${key} is gone.`);
  for (const { stepId, data } of Object.values(step_results)) {
    if (typeof data !== "object" || data === null || Array.isArray(data)) continue;
    const { $file, $artifact, sha256 } = data;
    if (typeof $file === "string") {
      const path = `${runFolderPath(run_id)}/${$file}`;
      const read = await readRunText(project_path, run_id, { path, limit: MOST_BYTES });
      if (read === null || (!read.truncated && !isJson(read.text)))
        problems.push(
          `The file ${path}, with the result of the step ${stepId}, ${read === null ? "is not there" : "is no JSON"}.`,
        );
    } else if (typeof $artifact === "string" && typeof sha256 === "string") {
      if (!(await holds(db, { id: $artifact, sha256, project_path })))
        problems.push(`The artifact ${$artifact}, with the result of the step ${stepId}, is gone or another than was kept.`);
    }
  }
  return problems;
}

async function holds(
  db: Database,
  { id, sha256, project_path }: { id: string; sha256: string; project_path: string },
): Promise<boolean> {
  const stored = await getArtifact(db, id).catch((error: unknown) => {
    if (error instanceof NotFoundError) return null;
    throw error;
  });
  const handle = stored && (await openRunFile(project_path, stored.artifact.run_id, stored.artifact.file_path));
  if (!handle) return false;
  try {
    return (await hashOf(handle)) === sha256;
  } finally {
    await handle.close();
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Postgres orders the names of an object otherwise than they were written. */
function canonical(value: Json | undefined): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
