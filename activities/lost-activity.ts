import { hostname } from "node:os";
import type { ConnectionLike } from "@temporalio/client";
import proto, { type temporal } from "@temporalio/proto";
import { startOf } from "./process-owner.js";

/** As Temporal's requests name it. */
export interface Execution {
  workflowId: string;
  runId?: string;
}

/** An activity that Temporal believes to be under way in a process that is gone. */
export interface LostActivity {
  activityId: string;
  cancelRequested: boolean;
}

export interface Pending {
  /** Ids of all activities whose end Temporal waits for. */
  ids: Set<string>;
  lost: LostActivity[];
}

const { PENDING_ACTIVITY_STATE_STARTED: STARTED, PENDING_ACTIVITY_STATE_CANCEL_REQUESTED: CANCEL_REQUESTED } =
  proto.temporal.api.enums.v1.PendingActivityState;

/** What an execution waits for; undefined when Temporal does not say. Only processes of this host are known to be gone. */
export async function pendingOf(
  { workflowService }: ConnectionLike,
  namespace: string,
  execution: Execution,
): Promise<Pending | undefined> {
  try {
    const { pendingActivities } = await workflowService.describeWorkflowExecution({ namespace, execution });
    const lost = pendingActivities.filter(isLost).map(({ activityId, state }) => ({
      activityId: activityId ?? "",
      cancelRequested: state === CANCEL_REQUESTED,
    }));
    return { ids: new Set(pendingActivities.map(({ activityId }) => activityId ?? "")), lost };
  } catch {
    return undefined;
  }
}

/** Workers are `<pid>@<host>`. One with our own number that began before us was an earlier life of this container. */
function isLost({ state, lastWorkerIdentity, lastStartedTime }: temporal.api.workflow.v1.IPendingActivityInfo): boolean {
  const [, pid, host] = /^(\d+)@(.*)$/s.exec(lastWorkerIdentity ?? "") ?? [];
  if ((state !== STARTED && state !== CANCEL_REQUESTED) || pid === undefined || host !== hostname()) return false;
  if (Number(pid) !== process.pid) return startOf(Number(pid)) === null;
  return Number(lastStartedTime?.seconds ?? 0) * 1000 < Date.now() - process.uptime() * 1000 - 1_000;
}
