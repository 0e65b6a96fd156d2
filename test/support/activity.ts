import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import type { Call, RunRef } from "../../contract/activity.js";
import type { StepKind } from "../../contract/step.js";

/** What an activity is called with, for step `number` of a run. */
export function callOf<Input>(
  run: RunRef,
  input: Input,
  { number = 1, kind = "git" as StepKind, key = "a-step", attempt = 1 } = {},
): Call<Input> {
  const step = { id: `${run.run_id}-${number}`, number, key, name: key, phase: null, kind, iteration: 1 };
  return { run, step, attempt, input };
}

let activities = 0;

/** Run an activity as a worker does, as a new one of its workflow. */
export function runActivity<Input, Value>(activity: (input: Input) => Promise<Value>, input: Input): Promise<Value> {
  const environment = new MockActivityEnvironment({ activityId: `${++activities}` }, { logger: new DefaultLogger("ERROR") });
  return environment.run(activity, input);
}
