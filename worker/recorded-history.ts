import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import proto from "@temporalio/proto";
import { readRunFile } from "../db/run-folder.js";
import type { History } from "./replayer.js";

/**
 * The history of a run's last execution: from Temporal, or, when that has forgotten the run, from the run's folder.
 *
 * @returns null when neither has it.
 */
export async function historyOf(
  client: Client,
  { id, project_path }: { id: string; project_path: string },
): Promise<History | null> {
  try {
    return await client.workflow.getHandle(id).fetchHistory();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const text = await readRunFile(project_path, id, "history.json");
    return text === null ? null : historyFrom(text);
  }
}

/** What `settle` has written, with bytes in base64. */
export function historyFrom(text: string): History {
  return proto.temporal.api.history.v1.History.fromObject(JSON.parse(text));
}
