import { createHash } from "node:crypto";
import type { RunRef } from "../contract/activity.js";
import type { ArtifactRow } from "../contract/artifact.js";
import type { StepRef } from "../contract/fact.js";
import type { Json } from "../contract/json.js";
import { runFolderPath, writeRunFile } from "../db/run-folder.js";
import { cutAt } from "./output-window.js";

/** Nothing longer than this of one step goes into a history, in bytes of JSON. */
export const HISTORY_BYTES = 64 * 1024;
const HEAD_CHARS = 2_000;

/** What stands for a value that is too large: where the whole is, and how it begins. */
export interface ArtifactReference {
  $artifact: string;
  sha256: string;
  size_bytes: number;
  head: string;
}

/** What a run gives at its end. */
export interface KeepOutputInput {
  run: Pick<RunRef, "run_id" | "project_path">;
  output: Json;
}

export interface KeptOutput {
  value: ArtifactReference;
  artifact: ArtifactRow;
}

/** The value, or when that is too large, a reference to the artifact that now holds it. */
export async function withinHistory<Value>(
  run: RunRef,
  step: StepRef,
  value: Value,
): Promise<{ value: Value | ArtifactReference; artifact?: ArtifactRow }> {
  const json = JSON.stringify(value);
  if (json === undefined || Buffer.byteLength(json) <= HISTORY_BYTES) return { value };
  return keptWhole(run, step, value, json);
}

/** A run's output, kept as an artifact of the run's own, and the reference to it. Done again it is the same. */
export function keepOutput({ run, output }: KeepOutputInput): Promise<KeptOutput> {
  return keptWhole(run, null, output, JSON.stringify(output));
}

async function keptWhole(run: KeepOutputInput["run"], step: StepRef | null, value: unknown, json: string): Promise<KeptOutput> {
  const isText = typeof value === "string";
  const text = isText ? value : json;
  const bytes = Buffer.from(text);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const name = `output-${sha256.slice(0, 8)}.${isText ? "txt" : "json"}`;
  const path = `artifacts/${step ? `${step.number}-` : ""}${name}`;
  await writeRunFile(run.project_path, run.run_id, path, text);

  const artifact: ArtifactRow = {
    id: `${step?.id ?? run.run_id}-o${sha256.slice(0, 8)}`,
    run_id: run.run_id,
    step_id: step?.id ?? null,
    agent_session_id: null,
    name,
    file_path: `${runFolderPath(run.run_id)}/${path}`,
    type: "other",
    file_type: isText ? "document" : "code",
    mime_type: isText ? "text/plain" : "application/json",
    size_bytes: bytes.length,
    sha256,
    version: 1,
    metadata: { reason: "too large for the history" },
  };
  const head = text.slice(0, cutAt(text, Math.min(text.length, HEAD_CHARS)));
  return { value: { $artifact: artifact.id, sha256, size_bytes: bytes.length, head }, artifact };
}
