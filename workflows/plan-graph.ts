import type { Plan, PlanStep } from "../contract/plan.js";

/**
 * Do the steps of a graph: each when those it needs are over, `concurrency` at once at most, in the plan's order where there
 * is a choice. With `by_level` the steps of a level wait for all of the level before.
 *
 * @param act does a step to its end; false: the run fails with it, and what has not begun is left out. Of its level, what
 *   stands in the same level is still done.
 */
export async function doGraph(
  plan: Plan,
  flow: Extract<Plan["flow"], { kind: "graph" }>,
  act: (step: PlanStep) => Promise<boolean>,
): Promise<void> {
  const slots = new Slots(flow.concurrency ?? Number.POSITIVE_INFINITY);
  const over = new Map<string, Promise<void>>();
  let failedLevel: number | undefined;
  let thrown: { error: unknown } | undefined;

  let before = Promise.resolve();
  for (const [level, steps] of levelsOf(plan.steps).entries()) {
    for (const step of steps) over.set(step.key, follow(step, level, before));
    before = allOf(steps.map(({ key }) => key));
  }
  await allOf([...over.keys()]);
  if (thrown) throw thrown.error;

  async function follow(step: PlanStep, level: number, levelBefore: Promise<void>): Promise<void> {
    await (flow.by_level ? levelBefore : allOf(step.needs));
    await slots.take();
    try {
      const isLeftOut = thrown || (failedLevel !== undefined && !(flow.by_level && level === failedLevel));
      if (!isLeftOut && !(await act(step))) failedLevel ??= level;
    } catch (error) {
      thrown ??= { error };
    }
    slots.free();
  }

  async function allOf(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => over.get(key)));
  }
}

/** Steps by the longest way to them. */
function levelsOf(steps: readonly PlanStep[]): PlanStep[][] {
  const levels: PlanStep[][] = [];
  const of = new Map<string, number>();
  for (const step of steps) {
    const level = Math.max(-1, ...step.needs.map((key) => of.get(key) ?? -1)) + 1;
    of.set(step.key, level);
    levels[level] = [...(levels[level] ?? []), step];
  }
  return levels;
}

/** So many at once; who comes first is served first. */
class Slots {
  private readonly waiting: (() => void)[] = [];

  constructor(private left: number) {}

  async take(): Promise<void> {
    if (this.left > 0) this.left--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  free(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.left++;
  }
}
