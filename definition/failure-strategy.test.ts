import { expect, test } from "vitest";
import { Plan, type PlanRetry, type PlanStep } from "../contract/plan.js";
import { withFailureStrategy } from "./failure-strategy.js";
import { RETRY_DEFAULTS } from "./retry-defaults.js";

const ownRetry: PlanRetry = { maxAttempts: 5, backoff: "fixed", initialDelayMs: 10, maxDelayMs: 10, multiplier: 1 };
const retried = step("retried", { on_failure: "retry", retry: ownRetry });
const dispensable = step("dispensable", { on_failure: "continue", optional: true });

test("`stop` gives every step one try and ends the run with the first that fails", () => {
  expect(withFailureStrategy(plan(retried, dispensable), "stop").steps).toEqual([step("retried"), step("dispensable")]);
});

test("`continue` gives every step one try and goes past those that fail", () => {
  expect(withFailureStrategy(plan(retried, step("plain")), "continue").steps).toEqual([
    step("retried", { on_failure: "continue" }),
    step("plain", { on_failure: "continue" }),
  ]);
});

test("`continue` leaves what is optional optional", () => {
  expect(withFailureStrategy(plan(dispensable), "continue").steps).toEqual([dispensable]);
});

test("`retry` tries a step again by its own policy, else three times", () => {
  expect(withFailureStrategy(plan(retried, step("plain")), "retry").steps).toEqual([
    retried,
    step("plain", { on_failure: "retry", retry: RETRY_DEFAULTS }),
  ]);
});

test.each(["stop", "continue", "retry"] as const)("`%s` does not try again what may not be", (strategy) => {
  const once = step("once", { retry: false });

  expect(withFailureStrategy(plan(once), strategy).steps).toEqual([{ ...once, on_failure: strategy }]);
});

test("what is done after a failure and at the end keeps its own strategy", () => {
  const handled = { ...plan(step("work")), on_failure: [retried], finally: [dispensable] };

  expect(withFailureStrategy(handled, "stop")).toMatchObject({ on_failure: [retried], finally: [dispensable] });
});

test("the plan that was given is unchanged, and what comes out is a plan", () => {
  const given = plan(retried, dispensable);
  const before = structuredClone(given);

  expect(Plan.parse(withFailureStrategy(given, "retry"))).not.toEqual(given);
  expect(given).toEqual(before);
});

function step(key: string, of: Partial<PlanStep> = {}): PlanStep {
  const work = { kind: "shell" as const, command: { literal: "true" } };
  return { key, needs: [], work, on_failure: "stop", ...of };
}

function plan(...steps: PlanStep[]): Plan {
  return {
    format: 1,
    name: "p",
    tags: [],
    phases: [],
    timeout_ms: 0,
    names: [],
    flow: { kind: "graph", by_level: false },
    steps,
  };
}
