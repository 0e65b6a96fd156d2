import type { Plan, PlanStep } from "../contract/plan.js";
import { RETRY_DEFAULTS } from "./retry-defaults.js";

/** What a run does when a step fails, said as it is started. */
export type FailureStrategy = PlanStep["on_failure"];

/**
 * The plan with one failure strategy for all its steps, over what each of them says. `stop`: the first failure ends the run,
 * without another try and also where the step is optional. `continue`: each step has one try, and a failed one is gone past. `retry`: each
 * step is tried again by its own policy, else three times. What may not be tried again (`retry: false`) never is. What is done when the run has failed and at its end stays as it is.
 */
export function withFailureStrategy(plan: Plan, strategy: FailureStrategy): Plan {
  return { ...plan, steps: plan.steps.map((step) => failing(step, strategy)) };
}

function failing(step: PlanStep, strategy: FailureStrategy): PlanStep {
  const { retry, optional, ...others } = step;
  const rest = { ...others, ...(retry === false ? { retry } : {}) };
  switch (strategy) {
    case "stop":
      return { ...rest, on_failure: "stop" };
    case "continue":
      return { ...rest, ...(optional === undefined ? {} : { optional }), on_failure: "continue" };
    case "retry":
      return { ...step, on_failure: "retry", retry: retry ?? RETRY_DEFAULTS };
  }
}
