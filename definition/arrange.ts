import type { Plan, PlanStep } from "../contract/plan.js";
import { reportReworks } from "./approval.js";
import { cyclesOf, cycleText, graphOf } from "./graph.js";
import { didYouMean } from "./nearest.js";
import type { Place } from "./node.js";
import type { Problems } from "./problems.js";
import { elseKey } from "./references.js";
import type { Draft } from "./step.js";

/** The steps of a definition as they were read. */
export interface Drafts {
  steps: readonly Draft[];
  /** Done when the run has failed, and whatever happens. */
  failure: readonly Draft[];
  always: readonly Draft[];
}

/**
 * The steps in an order in which each comes after those it needs, else in the author's; those done at the end as they stand. Reports
 * keys that are there twice, needs that are no steps, cycles, and approvals that send work back to where it cannot go.
 */
export function arranged(drafts: Drafts, problems: Problems): Pick<Plan, "steps" | "on_failure" | "finally"> {
  const first = new Map<string, Place>();
  const steps = withoutDoubles(drafts.steps, first, problems);
  const failure = withoutDoubles(drafts.failure, first, problems).flatMap(withOtherwise);
  const always = withoutDoubles(drafts.always, first, problems).flatMap(withOtherwise);
  reportUnknownNeeds(steps, problems);
  reportReworks(steps, [...drafts.failure, ...drafts.always], problems);
  return {
    steps: inOrder(steps, problems),
    ...(failure.length > 0 && { on_failure: failure }),
    ...(always.length > 0 && { finally: always }),
  };
}

/** Each step needs the one before it. */
export function inSequence(drafts: readonly Draft[]): Draft[] {
  return drafts.map((draft, i) => {
    const before = drafts[i - 1];
    const needs = before ? [before.step.key] : [];
    const { otherwise } = draft;
    return {
      ...draft,
      step: { ...draft.step, needs },
      ...(otherwise && { otherwise: { ...otherwise, step: { ...otherwise.step, needs } } }),
    };
  });
}

/** Who needs a step with an `else` needs that, too. */
function inOrder(drafts: readonly Draft[], problems: Problems): PlanStep[] {
  const others = new Set(drafts.flatMap(({ step, otherwise }) => (otherwise ? [step.key] : [])));
  const both = (need: string) => (others.has(need) ? [need, elseKey(need)] : [need]);
  const steps = drafts.flatMap(withOtherwise).map((step) => ({ ...step, needs: step.needs.flatMap(both) }));

  const graph = graphOf(steps);
  for (const cycle of cyclesOf(graph))
    problems.add(placeOf(drafts, cycle[0]), `${cycleText(cycle)}. Take one of these dependencies away.`);
  const byKey = new Map(steps.map((step) => [step.key, step]));
  return graph.topologicalOrder.flatMap((key) => byKey.get(key) ?? []);
}

function withOtherwise({ step, otherwise }: Draft): PlanStep[] {
  return otherwise ? [step, otherwise.step] : [step];
}

function withoutDoubles(drafts: readonly Draft[], first: Map<string, Place>, problems: Problems): Draft[] {
  return drafts.filter((draft) => {
    const keys = withOtherwise(draft).map(({ key }) => key);
    const double = keys.find((key) => first.has(key));
    for (const key of keys) if (!first.has(key)) first.set(key, draft.at);
    if (double === undefined) return true;
    problems.add(
      draft.at,
      `Duplicate step key: "${double}". The first is in line ${first.get(double)?.line}; give this one another.`,
    );
    return false;
  });
}

function reportUnknownNeeds(drafts: readonly Draft[], problems: Problems): void {
  const keys = new Set(drafts.map(({ step }) => step.key));
  for (const { step, at, needsAt } of drafts) {
    for (const [i, need] of step.needs.entries()) {
      if (keys.has(need)) continue;
      problems.add(needsAt[i] ?? at, `Step "${step.key}" depends on non-existent step "${need}".${didYouMean(need, keys)}`);
    }
  }
}

function placeOf(drafts: readonly Draft[], key: string | undefined): Place {
  const draft = drafts.find(({ step, otherwise }) => step.key === key || otherwise?.step.key === key);
  return draft?.at ?? { path: "steps", line: 1, column: 1 };
}
