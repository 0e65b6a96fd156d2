import { CancellationScope } from "@temporalio/workflow";
import type { Json, JsonObject } from "../contract/json.js";
import type { Plan, PlanStep } from "../contract/plan.js";
import { loadConditions, needsConditions } from "../definition/meets.js";
import { StepFailed } from "../sdk/step-failed.js";
import type { Engine } from "./engine.js";
import { HandOver, handOverWhenLong } from "./hand-over.js";
import { doEach } from "./plan-each.js";
import { doGate } from "./plan-gate.js";
import { doGraph } from "./plan-graph.js";
import { doLoop, type LoopEnd } from "./plan-loop.js";
import { PlanState } from "./plan-state.js";

/** Characters of a run's output. */
const MAX_OUTPUT = 64 * 1024;

/**
 * Carry out a plan, step by step, on the step engine.
 *
 * @returns `{ end_reason, iterations, outputs, omitted? }`: why it was over (`completed` for a graph), how many passes there were,
 *   and the outputs of the steps that have one, by key, up to 64 KB; `omitted` are the keys of those for which there is no room.
 * @throws {StepFailed} the first step that failed and was to stop the run, after `on_failure` and `finally` were done.
 */
export async function interpret(engine: Engine, plan: Plan): Promise<Json> {
  if (needsConditions(plan)) await loadConditions();
  const state = new PlanState(engine, plan);
  const mark = marker(engine, plan);
  let failure: StepFailed | undefined;
  let end_reason: LoopEnd | "completed";
  try {
    end_reason = await flow();
  } catch (error) {
    if (error instanceof HandOver) throw new HandOver(error.progress, whenStopped);
    await whenStopped();
    throw error;
  }
  if (failure) await all(plan.on_failure);
  await all(plan.finally);
  if (failure) throw failure;
  return { end_reason, iterations: state.iteration, ...withinOutput(state.outputs) };

  async function flow(): Promise<typeof end_reason> {
    if (plan.flow.kind === "loop") return doLoop(engine, plan, plan.flow, state, next);
    try {
      await doGraph(plan, plan.flow, async (step) => Object.hasOwn(state.over, step.key) || next(step));
    } catch (error) {
      if (!(error instanceof HandOver && failure)) throw error; // a step that was under way has failed: the run ends here
    }
    return "completed";
  }

  /** A step of the flow: begun in a further execution when this one has become long. */
  async function next(step: PlanStep): Promise<boolean> {
    handOverWhenLong(engine, state);
    return act(step);
  }

  /** A run that was stopped does what is to be done in any case, too, and no pause holds it up. */
  async function whenStopped(): Promise<void> {
    if (!plan.finally?.length) return;
    engine.life.lift();
    await CancellationScope.nonCancellable(() => all(plan.finally));
  }

  /** In order, up to the first that fails. */
  async function all(steps: readonly PlanStep[] = []): Promise<void> {
    for (const step of steps) if (!(await act(step))) return;
  }

  /** Do a step, all of it; false: the run fails with it. */
  async function act(step: PlanStep): Promise<boolean> {
    try {
      const done = await (step.for_each ? doEach(engine, step, step.for_each, state) : doGate(engine, plan, step, state));
      if (done === "skipped") state.end(step, "skipped");
      else state.keep(step, done.output);
      return true;
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      const isBorne = step.optional || step.on_failure === "continue";
      state.end(step, step.optional ? "absent" : "failed");
      if (!isBorne) state.failure = failure ??= error;
      return isBorne ?? false;
    } finally {
      mark();
    }
  }
}

/** A run's output is read in lists, and Temporal takes no value near 2 MiB; each step's own row has its output in any case. */
function withinOutput(outputs: JsonObject): { outputs: JsonObject; omitted?: string[] } {
  const kept: JsonObject = {};
  const omitted: string[] = [];
  let left = MAX_OUTPUT;
  for (const [key, output] of Object.entries(outputs)) {
    const size = JSON.stringify(output).length;
    if (size > left) {
      omitted.push(key);
      continue;
    }
    kept[key] = output;
    left -= size;
  }
  return { outputs: kept, ...(omitted.length > 0 ? { omitted } : {}) };
}

/** A checkpoint of the plan's own at the end of a step, when its interval has passed since the last. */
function marker(engine: Engine, { checkpoint_interval_ms: interval }: Plan): () => void {
  let last = Date.now();
  return () => {
    const passed = Date.now() - last;
    if (interval === undefined || passed < interval) return;
    last = Date.now();
    engine.notes.mark(`Auto-checkpoint (${Math.round(passed / 1000)}s)`);
  };
}
