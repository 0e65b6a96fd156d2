import type { Json } from "../contract/json.js";
import type { PlanStep } from "../contract/plan.js";
import { RenderError, render } from "../definition/render.js";
import type { Engine } from "./engine.js";
import { HandOver, handOverWhenLong } from "./hand-over.js";
import type { PlanState } from "./plan-state.js";
import { type Done, doStep, refuse, skip } from "./plan-step.js";

/**
 * Do a step once for each item of its list, `concurrency` at once at most. When one fails no further one is begun, and the
 * step fails when those under way are over.
 *
 * @returns the outputs in the order of the items; null for an item that was skipped.
 */
export async function doEach(
  engine: Engine,
  step: PlanStep,
  { items, concurrency }: NonNullable<PlanStep["for_each"]>,
  state: PlanState,
): Promise<Done> {
  let list: Json[];
  try {
    list = listOf(render(items, state.scope()));
  } catch (error) {
    return refuse(engine, step, error);
  }
  if (list.length === 0) {
    await skip(engine, step);
    return { output: [] };
  }
  const done = state.items[step.key] ?? {};
  state.items[step.key] = done;
  const queue = [...list.entries()].filter(([index]) => !Object.hasOwn(done, index));
  const failures: unknown[] = [];
  const lane = async () => {
    for (let next = queue.shift(); next && failures.length === 0; next = queue.shift()) {
      const [index, item] = next;
      try {
        handOverWhenLong(engine, state);
        const gave = await doStep(engine, step, state.scope({ item, index }));
        done[index] = gave === "skipped" ? null : gave.output;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, list.length) }, lane));
  const [failure] = failures.filter((error) => !(error instanceof HandOver));
  if (failures.length > 0) throw failure ?? new HandOver(state.progress());
  delete state.items[step.key];
  return { output: list.map((_, index) => done[index] ?? null) };
}

function listOf(value: Json): Json[] {
  if (Array.isArray(value)) return value;
  throw new RenderError("unfit_value", `"for_each" needs a list, not ${JSON.stringify(value).slice(0, 100)}.`);
}
