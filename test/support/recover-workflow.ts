import { ActivityFailure, ApplicationFailure, proxyActivities } from "@temporalio/workflow";
import type { ShellInput, ShellOutput } from "../../activities/shell.js";
import type { Call, Outcome } from "../../contract/activity.js";

interface Activities {
  shell(call: Call<ShellInput>): Promise<Outcome<ShellOutput>>;
  unrecorded(): Promise<string>;
}

const { shell, unrecorded } = proxyActivities<Activities>({
  startToCloseTimeout: "10 minutes",
  heartbeatTimeout: "60 seconds",
  retry: { initialInterval: "50ms", maximumAttempts: 5 },
});

/** One shell step after the other; what each left, or why it failed. */
export async function chain(calls: Call<ShellInput>[]): Promise<(Outcome<ShellOutput> | string)[]> {
  const outcomes: (Outcome<ShellOutput> | string)[] = [];
  for (const call of calls) {
    try {
      outcomes.push(await shell(call));
    } catch (error) {
      const cause = error instanceof ActivityFailure ? error.cause : error;
      outcomes.push(cause instanceof ApplicationFailure ? (cause.type ?? "") : String(cause));
    }
  }
  return outcomes;
}

/** An activity that leaves nothing in the journal. */
export async function look(): Promise<string> {
  return unrecorded();
}
