import { Context } from "@temporalio/activity";
import type { Call } from "../contract/activity.js";
import type { Fact } from "../contract/fact.js";
import { isUnverified } from "../contract/messages.js";
import { type AgentDeps, createAgentActivity } from "./agent/index.js";
import { describeFailure, StepFailure, toApplicationFailure } from "./failure.js";
import { type ShellDeps, type ShellInput, shell } from "./shell.js";
import { sweepRun } from "./sweep.js";
import { createUserActivity, type UserActivityDeps } from "./user-activity.js";

export interface ActivityDeps extends ShellDeps, AgentDeps, UserActivityDeps {
  /** Waits until all that the run has told is in Postgres, then writes its ending. */
  closeGate(final: Fact, signal: AbortSignal): Promise<void>;
}

/** A run's last act. */
export interface CloseGateInput {
  run: { run_id: string; project_path: string };
  final: Fact;
}

export type Activities = ReturnType<typeof createActivities>["activities"];

/**
 * All that a worker registers with Temporal. Every activity refuses an argument that Longhaul has not signed.
 * `stop` is called when the worker takes no more work.
 */
export function createActivities(deps: ActivityDeps) {
  const { userActivity, stop } = createUserActivity(deps);

  return {
    activities: signed({
      shell: (call: Call<ShellInput>) => shell(deps, call),
      agent: createAgentActivity(deps),
      userActivity,
      closeGate: (input: CloseGateInput) => closeGate(deps, input),
    }),
    async stop() {
      await stop();
      await deps.journal.stop();
    },
  };
}

/** Nothing of the run is left running when its gate opens. */
async function closeGate(
  { closeGate, heartbeatMs = 5_000, graceMs }: ActivityDeps,
  { run, final }: CloseGateInput,
): Promise<void> {
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat(), heartbeatMs);
  try {
    await sweepRun(run.run_id, graceMs);
    await closeGate(final, context.cancellationSignal);
  } finally {
    clearInterval(beating);
  }
}

type Activity = (input: never) => Promise<unknown>;

function signed<Named extends Record<string, Activity>>(activities: Named): Named {
  const checked = Object.entries(activities).map(([name, activity]) => [name, check(name, activity)]);
  return Object.fromEntries(checked) as Named; // each as it was, behind a check
}

function check(name: string, activity: Activity): Activity {
  return async (input) => {
    if (!isUnverified(input)) return activity(input);
    const now = new Date().toISOString();
    const refusal = new StepFailure("unverified", `${name} was asked for by someone who is not Longhaul.`);
    throw toApplicationFailure(describeFailure(refusal, { started_at: now, completed_at: now, lost: [] }));
  };
}
