import { ActivityFailure } from "@temporalio/workflow";
import type { Json } from "../contract/json.js";
import type { RunError } from "../contract/run.js";
import type { RunSpec } from "../contract/run-spec.js";
import { encode } from "./encoding.js";
import type { Narrator } from "./narrator.js";
import { keepOutput } from "./proxies.js";

/** Bytes of JSON. Temporal takes no value of 2 MiB, and tries a run that gives one for ever; what goes with the output has the rest. */
const MAX_BYTES = 2 * 1024 * 1024 - 16 * 1024;
/** Of UTF-8, a character. */
const MOST_BYTES = 3;

/**
 * What a run gives, or when Temporal would not take that, a reference to the artifact that holds it; an error when there is no place for it.
 */
export async function withinResult(
  tell: Narrator,
  { run_id, project_path }: RunSpec,
  output: Json,
): Promise<{ output: Json; error?: RunError }> {
  const json = JSON.stringify(output);
  if (json.length * MOST_BYTES <= MAX_BYTES || encode(json).length <= MAX_BYTES) return { output };
  try {
    const { value, artifact } = await keepOutput({ run: { run_id, project_path }, output });
    tell.tell({ type: "artifact.created", artifact });
    return { output: { ...value } };
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    const message = `What the run gives could not be kept: ${error.cause?.message}`;
    return { output: null, error: { type: "output_not_kept", message } };
  }
}
