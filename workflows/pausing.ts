import type { Outcome } from "../contract/activity.js";
import type { WaitingFor } from "../contract/run.js";
import { type Controls, type OpenStep, Stopped } from "./controls.js";
import type { Place, StepPlan, Work } from "./engine.js";
import type { Life } from "./life.js";
import type { Narrator } from "./narrator.js";
import { tellStopped } from "./tell-step.js";

/** How a pause of mode `now` reaches what steps do. */
export class Pausing {
  private readonly holds = new Map<string, number>();

  constructor(
    private readonly narrator: Narrator,
    private readonly life: Life,
    private readonly controls: Controls,
  ) {
    life.onStill = () => controls.stopAll();
  }

  /** A step waits in the middle of what it does, until the run is resumed. @throws {Decided} */
  async hold({ step: { id } }: Place, open?: OpenStep): Promise<void> {
    if (!this.life.isPaused) return;
    if (this.count(id, 1) === 1) {
      const message = "The run is paused; the step goes on when that is resumed";
      const waiting_for: WaitingFor = { kind: "resume", step_id: id, message, since: new Date().toISOString() };
      this.narrator.tell({ type: "step.waiting", step_id: id, waiting_for });
    }
    let left = 0;
    try {
      await this.controls.guard(open, { stops: false }, () => this.life.gate());
    } finally {
      left = this.count(id, -1);
    }
    if (left === 0) this.narrator.tell({ type: "step.resumed", step_id: id });
  }

  /** One try, and another in its stead for each that a pause has stopped. @throws {Decided} or what the work throws. */
  try<Value>(plan: StepPlan, place: Place, work: Work<Value>, open?: OpenStep): Promise<Outcome<Value>> {
    if (this.life.isStill) return this.tryLater(plan, place, work, open);
    const begun = new Date().toISOString();
    return this.controls
      .guard(open, { stops: canStop(plan) }, () => work(place))
      .catch((thrown: unknown) => {
        if (!(thrown instanceof Stopped)) throw thrown;
        tellStopped(this.narrator, place, thrown.failure, begun);
        return this.tryLater(plan, place, work, open);
      });
  }

  private async tryLater<Value>(plan: StepPlan, place: Place, work: Work<Value>, open?: OpenStep): Promise<Outcome<Value>> {
    await this.hold(place, open);
    return this.try(plan, place, work, open);
  }

  /** The same for what is done inside a step. */
  async inside<Value>(plan: StepPlan, place: Place, work: Work<Value>): Promise<Outcome<Value>> {
    if (canStop(plan)) return this.try(plan, place, work);
    if (this.life.isStill) await this.hold(place);
    return work(place);
  }

  /** What a function does at once waits together. @returns how many wait */
  private count(stepId: string, more: 1 | -1): number {
    const all = (this.holds.get(stepId) ?? 0) + more;
    if (all > 0) this.holds.set(stepId, all);
    else this.holds.delete(stepId);
    return all;
  }
}

/** What takes long, and can be done again. What its author lets be done once only ends first, as does what is short; an agent goes on in its session. */
function canStop({ kind, options }: StepPlan): boolean {
  return (kind === "shell" || kind === "tool" || kind === "activity") && options.retry !== false;
}
