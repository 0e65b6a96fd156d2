import type { PlanProgress } from "../contract/continuation.js";
import type { Json, JsonObject } from "../contract/json.js";
import type { Plan, PlanStep } from "../contract/plan.js";
import type { Scope } from "../definition/scope.js";
import type { StepFailed } from "../sdk/step-failed.js";
import type { Engine } from "./engine.js";

/** What a run of a plan has come to: all that later steps can ask for. */
export class PlanState {
  /** How each step that is over ended, by key; of a loop, in its latest pass. `absent`: it failed and was optional. */
  readonly over: Record<string, string> = {};
  readonly outputs: JsonObject = {};
  readonly vars: JsonObject = {};
  /** Outputs of the items that are done, by index, of steps whose items are not all done. */
  readonly items: Record<string, Record<string, Json>> = {};
  /** Of a loop; counted from 1. */
  iteration = 1;
  /** Position of a loop's next step. */
  at = 0;
  /** The step that the run fails with, for what is done then. */
  failure: StepFailed | undefined;
  /** Events of history from which on it is looked whether the run can go on in a further execution. */
  lookAgainAt = 0;

  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(
    private readonly engine: Engine,
    private readonly plan: Plan,
  ) {
    const before = engine.spec.continued?.plan;
    if (!before) return;
    Object.assign(this, { iteration: before.iteration, at: before.at });
    for (const name of ["over", "outputs", "vars", "items"] as const) Object.assign(this[name], before[name]);
  }

  /** How far the plan has come, with what later steps may ask for. */
  progress(): PlanProgress {
    const { over, outputs, vars, items, iteration, at } = this;
    return { over, outputs, vars, items, iteration, at };
  }

  /** All that references of a step that begins now can reach. */
  scope(item?: { item: Json; index: number }): Scope {
    const { spec } = this.engine;
    const { failure } = this;
    const error = failure && { type: failure.type, message: failure.message, step_id: failure.stepId };
    return {
      input: spec.input,
      context: spec.context,
      steps: this.outputs,
      vars: this.vars,
      run: { id: spec.run_id, name: spec.name, iteration: this.iteration, ...(error ? { error } : {}) },
      names: this.plan.names,
      ...item,
    };
  }

  /** What is done under one name is done one after the other. */
  async alone<T>(name: string, act: () => Promise<T>): Promise<T> {
    const before = this.turns.get(name);
    const doing = (async () => {
      await before?.catch(() => {});
      return act();
    })();
    this.turns.set(name, doing);
    return doing;
  }

  /** A step has given this. */
  keep({ key, assign }: PlanStep, output: Json): void {
    this.over[key] = "completed";
    this.outputs[key] = output;
    if (assign !== undefined) this.vars[assign] = output;
  }

  /** A step is over and has given nothing: what it gave in an earlier pass is gone, too. */
  end({ key, assign }: PlanStep, how: "skipped" | "failed" | "absent"): void {
    this.over[key] = how;
    delete this.outputs[key];
    if (assign !== undefined) delete this.vars[assign];
  }
}
