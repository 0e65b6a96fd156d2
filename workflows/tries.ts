import { isCancellation, sleep } from "@temporalio/workflow";
import type { StepRef } from "../contract/fact.js";
import { isRetryable, type RetryPolicy, retryDelay } from "../contract/retry.js";
import type { OpenWait } from "../contract/seed.js";
import { byHand } from "./by-hand.js";
import { Decided, type OpenStep } from "./controls.js";
import type { Engine, Place, StepPlan, Work } from "./engine.js";
import { readFailure, type StepFailure } from "./failure.js";
import { tellFailedTry, tellLost } from "./tell-step.js";

/** A step is tried as often as its policy says, with a wait before each further try; unless a person decides otherwise. */
export class Tries {
  constructor(private readonly engine: Engine) {}

  /** @param wait that it began in an earlier execution, where it did */
  async make<Value>(
    plan: StepPlan,
    step: StepRef,
    work: Work<Value>,
    [first, policy]: [number, RetryPolicy],
    wait?: OpenWait,
  ): Promise<Value> {
    const { engine } = this;
    const open = engine.controls.begin(step);
    const began = new Date().toISOString();
    try {
      let number = first;
      for (let tried = wait?.attempt ?? 1; ; tried++, number++) {
        const place: Place = { step, attempt: number, lost: 0, ...(wait && number === first ? { wait, since: wait.began } : {}) };
        const begun = place.since ?? new Date().toISOString();
        const done = engine.begin(plan, place, begun);
        try {
          const outcome = await engine.pausing.try(plan, place, work, open);
          tellLost(engine.narrator, place, outcome);
          await engine.endings.turn(step.number);
          engine.complete(place, outcome);
          return outcome.value;
        } catch (thrown) {
          const decided = await this.failed(plan, place, thrown, { open, begun, tried, policy });
          if (decided) return (await byHand(engine, place, decided, began)) as Value; // the API has seen to its shape
          number = place.attempt + place.lost;
        } finally {
          done();
        }
      }
    } finally {
      engine.controls.end(open);
    }
  }

  /** Resolves when it is to be tried again, with nothing, or with what a person has decided instead. @throws what ends the step. */
  private async failed(
    plan: StepPlan,
    place: Place,
    thrown: unknown,
    { open, begun, tried, policy }: FailedTry,
  ): Promise<Decided | undefined> {
    if (thrown instanceof Decided) return thrown;
    const { engine } = this;
    const failure = readFailure(thrown);
    const stopped = (message: string) =>
      engine.fail(place, "cancelled", { ...failure, error: { type: "cancelled", message } }, begun);
    engine.tree.forgetWhenLost(failure.error);
    if (failure.detail) tellLost(engine.narrator, place, failure.detail);
    if (isCancellation(thrown)) {
      await engine.endings.turn(place.step.number);
      stopped(plan.stopped?.() ?? "The run was stopped.");
      throw thrown;
    }
    if (tried >= (policy.maxAttempts ?? 1) || !isRetryable(policy, failure.error.type)) {
      await engine.endings.turn(place.step.number);
      throw engine.fail(place, "failed", failure, begun);
    }
    try {
      await this.backOff(place, open, failure, { begun, delay: retryDelay(policy, tried) });
      return undefined;
    } catch (stop) {
      if (stop instanceof Decided) return stop;
      const message = isCancellation(stop) ? plan.stopped?.() : undefined;
      await engine.endings.turn(place.step.number);
      if (message !== undefined) stopped(message);
      throw stop; // the end of a run settles its steps
    }
  }

  private async backOff(
    place: Place,
    open: OpenStep,
    failure: StepFailure,
    next: { begun: string; delay: number },
  ): Promise<void> {
    const { controls, life, narrator } = this.engine;
    const { step, attempt, lost } = place;
    tellFailedTry(narrator, place, failure, next);
    await controls.guard(open, { stops: false }, async () => {
      const summary = `${step.name}: before try ${attempt + lost + 1}`;
      await controls.untilRetried(step.id, () => sleep(next.delay, { summary }));
      await life.gate();
    });
  }
}

/** A try that has failed. */
interface FailedTry {
  open: OpenStep;
  begun: string;
  /** How many there were with it. */
  tried: number;
  policy: RetryPolicy;
}
