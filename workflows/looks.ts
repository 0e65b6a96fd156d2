import { CancelledFailure, isCancellation } from "@temporalio/workflow";
import type { Json } from "../contract/json.js";
import type { Look } from "../contract/seed.js";
import { StepFailed } from "../sdk/step-failed.js";
import type { Engine, Place, Work } from "./engine.js";
import { readFailure } from "./failure.js";

/** Looks at the run's tree: no steps, nothing told. What they gave is kept for a program that is carried out once more. */
export class Looks {
  private count = 0;
  private open = 0;

  constructor(
    private readonly engine: Engine,
    /** What they gave, by number, the first at 0. */
    readonly given: Look[],
  ) {}

  /** How many are under way. */
  get underWay(): number {
    return this.open;
  }

  /**
   * One look. Waits while the run is paused.
   *
   * @throws {StepFailed} when it cannot be read.
   */
  async read<Value>(key: string, work: Work<Value>): Promise<Value> {
    const { engine } = this;
    if (engine.place) return this.look(key, engine.place, work);
    const number = -++this.count;
    const before = await engine.resumption?.takeLook(number);
    if (before) return again(key, before) as Value;
    const { passage } = engine;
    if (passage.isShut) await passage.enter();
    const none = { id: `${engine.spec.run_id}-0`, number: 0, key, name: key, phase: null, kind: "files" as const, iteration: 1 };
    const done = passage.busy();
    this.open++;
    try {
      const value = await this.look(key, { step: none, attempt: 1, lost: 0 }, work);
      await this.keep(number, { value: value as Json }); // of an activity
      return value;
    } catch (thrown) {
      await this.keep(number, thrown instanceof StepFailed ? failed(thrown) : { cancelled: true });
      throw thrown;
    } finally {
      this.open--;
      done();
    }
  }

  private async keep(number: number, look: Look): Promise<void> {
    await this.engine.endings.turn(number);
    this.given[-number - 1] = look;
  }

  private async look<Value>(key: string, place: Place, work: Work<Value>): Promise<Value> {
    const { life, tree } = this.engine;
    await life.gate();
    const done = life.busy();
    try {
      return (await work(place)).value;
    } catch (thrown) {
      if (isCancellation(thrown)) throw thrown;
      const { error, output } = readFailure(thrown);
      tree.forgetWhenLost(error);
      throw new StepFailed(key, error.type, error.message, output);
    } finally {
      done();
    }
  }
}

function failed({ type, message, output }: StepFailed): Look {
  return { error: { type, message }, ...(output === undefined ? {} : { output: output as Json }) };
}

function again(key: string, look: Look): Json {
  if ("value" in look) return look.value;
  if ("error" in look) throw new StepFailed(key, look.error.type, look.error.message, look.output);
  throw new CancelledFailure("The run was stopped.");
}
