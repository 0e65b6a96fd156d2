import type { Json } from "../contract/json.js";
import { WholeRun } from "../contract/whole-run.js";
import type { LonghaulClient } from "../sdk/client.js";
import { runPath } from "./find-run.js";

/** Asks for a change of a run and gives it as it is then. */
export async function controlRun(
  client: LonghaulClient,
  id: string,
  { act, body }: { act: "pause" | "resume" | "cancel"; body?: Json },
): Promise<WholeRun> {
  return client.post(runPath(id, `/${act}`), WholeRun, body);
}
