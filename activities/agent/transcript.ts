import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { RunRef } from "../../contract/activity.js";
import type { AgentSessionRow } from "../../contract/agent-session.js";
import type { ArtifactRow } from "../../contract/artifact.js";
import { runFolderPath, writeRunFile } from "../../db/run-folder.js";
import type { SecretMask } from "../secret-mask.js";

/**
 * Keep a session's transcript (JSON lines) with the run, as an artifact that the session's row names. Kept again
 * under the same session id it replaces the earlier copy: a transcript only grows.
 */
export async function keepTranscript(
  run: RunRef,
  session: Pick<AgentSessionRow, "id" | "step_id" | "name" | "agent">,
  file: string,
  mask: SecretMask,
): Promise<ArtifactRow> {
  const text = mask.jsonLines(await readFile(file, "utf8"));
  const path = `artifacts/${session.id.slice(run.run_id.length + 1)}.jsonl`;
  await writeRunFile(run.project_path, run.run_id, path, text);
  return {
    id: `${session.id}-file`,
    run_id: run.run_id,
    step_id: session.step_id,
    agent_session_id: session.id,
    name: `session-${session.id.slice(session.step_id.length + 1)}.jsonl`,
    file_path: `${runFolderPath(run.run_id)}/${path}`,
    type: "session_file",
    file_type: "document",
    mime_type: "application/jsonl",
    size_bytes: Buffer.byteLength(text),
    sha256: createHash("sha256").update(text).digest("hex"),
    version: 1,
    metadata: { agent: session.agent, name: session.name },
  };
}
