import type { ForkOutlook } from "../contract/deploy-check.js";
import type { PlanStep } from "../contract/plan.js";
import type { PlanProgram, Program } from "../contract/run-spec.js";
import type { Replayed, ToldStep } from "./told-steps.js";

type Outlook = Pick<ForkOutlook, "reused" | "changed" | "perhaps" | "dropped">;

/**
 * What a fork of a run to another definition would take over: a step's result is used by the step of the same key. Of a plan all
 * of it is known; of code as far as the replay has come, and beyond that whether the code still names the step.
 *
 * @param was the run's own replay. @param now its replay by the other definition.
 */
export function outlookOf(was: Replayed, now: Replayed, programs: { own: Program; other: Program }): Outlook {
  const { own, other } = programs;
  const outlook: Outlook = { reused: [], changed: [], perhaps: [], dropped: [] };
  const ended = was.steps.filter((step) => step.ended === "completed" || step.ended === "failed");
  for (const step of ended) {
    const fate = other.kind === "plan" ? fateInPlan(step, own, other) : fateInCode(step, now, other.code);
    if (!outlook[fate].includes(step.key)) outlook[fate].push(step.key);
  }
  return outlook;
}

function fateInPlan({ key }: ToldStep, own: Program, other: PlanProgram): keyof Outlook {
  const step = stepOf(other, key);
  if (!step) return "dropped";
  const before = own.kind === "plan" ? stepOf(own, key) : undefined;
  return JSON.stringify(before) === JSON.stringify(step) ? "reused" : "changed";
}

/** Of a panel's member `<key>.<name>`, the panel. */
export function stepOf({ plan }: PlanProgram, key: string): PlanStep | undefined {
  const all = [...plan.steps, ...(plan.on_failure ?? []), ...(plan.finally ?? [])];
  return all.find((step) => step.key === key) ?? all.find((step) => key.startsWith(`${step.key}.`));
}

function fateInCode(step: ToldStep, now: Replayed, code: string): keyof Outlook {
  const there = now.steps.find(({ key, iteration }) => key === step.key && iteration === step.iteration);
  if (there) return JSON.stringify(there.input) === JSON.stringify(step.input) ? "reused" : "changed";
  if (now.error === null && !code.includes(step.key)) return "dropped";
  return code.includes(step.key) || isUnnamed(step) ? "perhaps" : "dropped";
}

/** What has no name in the code is called by what it does. */
function isUnnamed({ key, kind }: ToldStep): boolean {
  return key === kind || key.startsWith(`${kind}-`);
}
