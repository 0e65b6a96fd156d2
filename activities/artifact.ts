import type { Call, Outcome } from "../contract/activity.js";
import { type ArtifactRow, ArtifactType, FileType } from "../contract/artifact.js";
import type { Json } from "../contract/json.js";
import { storeArtifact } from "./artifact-store.js";
import { StepFailure } from "./failure.js";
import { existingInside } from "./inside.js";
import { performOnTree, type TreeDeps } from "./tree-step.js";

/** Either `path` or `content`. */
export interface ArtifactInput {
  name: string;
  /** A file of the run's tree. */
  path?: string | undefined;
  content?: string | undefined;
  type?: ArtifactType | undefined;
  file_type?: FileType | undefined;
  mime_type?: string | undefined;
  metadata?: Json | undefined;
  /** The step that asks: it is the call's own. */
  step_id?: string | null | undefined;
}

/**
 * Keep a file of the run's tree, or a text, as an artifact. Done again with the same bytes it is the same artifact; with
 * other bytes, its next version. Failures have the types of `storeArtifact`, and `invalid_input`, `invalid_path`.
 */
export function createArtifactActivity(deps: TreeDeps): (call: Call<ArtifactInput>) => Promise<Outcome<ArtifactRow>> {
  return (call) =>
    performOnTree(deps, "keeping the artifact", call, { writes: false }, async (work) => {
      const { run, step, input } = call;
      const { name, type, file_type, mime_type, metadata } = input;
      refuseUnknown("type", type, ArtifactType);
      refuseUnknown("fileType", file_type, FileType);
      const source = await sourceOf(call);
      const row = await storeArtifact(run, { name, step, source, type, file_type, mime_type, metadata });
      work.left.artifacts = [row];
      return row;
    });
}

/** Types of a workflow's file are looked at, but hold nothing up. */
function refuseUnknown(what: string, value: unknown, known: typeof ArtifactType | typeof FileType): void {
  if (value === undefined || known.safeParse(value).success) return;
  throw new StepFailure("invalid_input", `An artifact's ${what} is one of ${known.options.join(", ")}, and not ${value}.`);
}

async function sourceOf({ run, input }: Call<ArtifactInput>): Promise<{ content: string } | { file: string }> {
  const { path, content } = input;
  if ((path === undefined) === (content === undefined)) {
    throw new StepFailure("invalid_input", "An artifact needs a path or a content, and not both.");
  }
  if (content !== undefined) return { content };
  const file = await existingInside(run.workspace.path, path ?? "");
  if (!file) throw new StepFailure("file_missing", `There is no file ${path} in the run's tree.`);
  return { file };
}
