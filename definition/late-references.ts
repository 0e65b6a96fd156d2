import type { PlanStep, Ref } from "../contract/plan.js";
import { graphOf } from "./graph.js";
import type { Place } from "./node.js";
import type { Problems } from "./problems.js";
import type { Draft } from "./step.js";
import { refsOf } from "./template.js";
import { valuesOf } from "./values.js";

/**
 * Reports references to steps that are not over when the step begins: those of its own level or a later one, where a plan is done level
 * by level or in a row. What conditions name may be absent. Says nothing of a definition that has other problems.
 *
 * @param options.bareToo whether a bare name means a step before it means anything else
 */
export function reportLateReferences(
  steps: readonly PlanStep[],
  drafts: readonly Draft[],
  problems: Problems,
  { bareToo }: { bareToo: boolean },
): void {
  if (problems.some) return;
  const levels = new Map(graphOf(steps).nodes.map(({ stepKey, level }) => [stepKey, level]));
  const places = new Map<string, Place>(
    drafts.flatMap(({ step, at, otherwise }) => [
      [step.key, at],
      ...(otherwise ? [[otherwise.step.key, otherwise.at] as const] : []),
    ]),
  );
  const assigned = new Set(steps.flatMap(({ assign }) => assign ?? []));
  for (const step of steps) {
    const own = levels.get(step.key) ?? 0;
    const named = valuesOf(step)
      .flatMap(refsOf)
      .flatMap((ref) => stepNamed(ref, bareToo) ?? []);
    const late = [...new Set(named)].filter((key) => !assigned.has(key) && (levels.get(key) ?? -1) >= own);
    const at = places.get(step.key);
    for (const key of late)
      if (at)
        problems.add(at, `Step "${step.key}" refers to "${key}", which is not over when it begins. Let it come after that.`);
  }
}

function stepNamed([root, key]: Ref, bareToo: boolean): string | undefined {
  return typeof key === "string" && (root === "steps" || (bareToo && root === "name")) ? key : undefined;
}
