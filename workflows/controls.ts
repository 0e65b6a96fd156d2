import { ActivityFailure, ApplicationFailure, CancellationScope, isCancellation } from "@temporalio/workflow";
import type { StepRef } from "../contract/fact.js";
import type { StepMessage } from "../contract/messages.js";
import { readFailure, type StepFailure } from "./failure.js";

/** Thrown in the place of what a step's work would have come to: a person has decided. */
export class Decided extends Error {
  override readonly name = "Decided";

  constructor(
    readonly asked: StepMessage,
    /** What its work has left, where that was stopped for it. */
    readonly left: StepFailure | undefined,
  ) {
    super(`${asked.action} by hand`);
  }
}

/** Thrown: a pause has stopped it in the middle. */
export class Stopped extends Error {
  override readonly name = "Stopped";

  constructor(
    readonly failure: StepFailure,
    /** Of the activity; undefined when that was not asked for yet. */
    readonly activityId: string | undefined,
  ) {
    super("stopped by a pause");
  }
}

/** Thrown by a step of a plan that a person has skipped. */
export class SkippedByHand extends Error {
  override readonly name = "SkippedByHand";
}

/** A step that is under way, from its first try to its last. */
export class OpenStep {
  decided: StepMessage | undefined;
  /** What it does or waits for. */
  readonly scopes = new Set<CancellationScope>();
  /** Set while it waits to be tried again. */
  retry: (() => void) | undefined;

  constructor(
    readonly step: StepRef,
    /** It is answered, not completed. */
    readonly asks: boolean,
  ) {}
}

/** What a run does in the middle of its steps can be stopped: by a pause, to be gone on with, or as a person decides. */
export class Controls {
  private readonly open = new Map<string, OpenStep>();
  private readonly moving = new Set<CancellationScope>();
  /** In which nothing goes on any more, by the scope around them: one step after the other takes the same, for each costs promises. */
  private readonly free = new WeakMap<CancellationScope, CancellationScope[]>();

  begin(step: StepRef): OpenStep {
    const open = new OpenStep(step, step.kind === "approval");
    this.open.set(step.id, open);
    return open;
  }

  of(step: StepRef): OpenStep | undefined {
    return this.open.get(step.id);
  }

  end({ step }: OpenStep): void {
    this.open.delete(step.id);
  }

  /** Stop all that can be stopped. */
  stopAll(): void {
    for (const scope of this.moving) scope.cancel();
  }

  /** @throws {ApplicationFailure} when it is not for this step as it is: `not_open`, `decided`, `not_waiting`, `asks`. */
  check({ step_id, action }: StepMessage): void {
    const open = this.open.get(step_id);
    const refuse = (type: string) => ApplicationFailure.nonRetryable(`The step ${step_id}: ${type}.`, type);
    if (!open) throw refuse("not_open");
    if (open.decided) throw refuse("decided");
    if (action === "retry" && !open.retry) throw refuse("not_waiting");
    if (action === "complete" && open.asks) throw refuse("asks");
  }

  /** Do as a message says that was checked. */
  decide(message: StepMessage): { step_id: string } {
    const open = this.open.get(message.step_id);
    if (message.action === "retry") open?.retry?.();
    else if (open) {
      open.decided = message;
      for (const scope of open.scopes) scope.cancel();
    }
    return { step_id: message.step_id };
  }

  /**
   * Do something that a person's decision about the step ends and, where it `stops`, a pause of mode `now`. Nothing of it is left
   * running when this throws.
   *
   * @throws {Decided} {Stopped} or what it throws.
   */
  async guard<T>(open: OpenStep | undefined, { stops }: { stops: boolean }, act: () => Promise<T>): Promise<T> {
    if (open?.decided) throw new Decided(open.decided, undefined);
    const outside = CancellationScope.current();
    const free = this.freeIn(outside);
    const scope = free.pop() ?? new CancellationScope();
    if (stops) this.moving.add(scope);
    open?.scopes.add(scope);
    try {
      const value = await scope.run(act);
      if (open?.decided) throw new Decided(open.decided, undefined); // it ended at the same moment: the person was told otherwise
      return value;
    } catch (thrown) {
      if (outside.consideredCancelled || thrown instanceof Decided) throw thrown;
      if (open?.decided) throw new Decided(open.decided, isCancellation(thrown) ? readFailure(thrown) : undefined);
      if (!scope.consideredCancelled || !isCancellation(thrown)) throw thrown;
      throw new Stopped(readFailure(thrown), thrown instanceof ActivityFailure ? thrown.activityId : undefined);
    } finally {
      this.moving.delete(scope);
      open?.scopes.delete(scope);
      if (!scope.consideredCancelled) free.push(scope);
    }
  }

  private freeIn(outside: CancellationScope): CancellationScope[] {
    const free = this.free.get(outside) ?? [];
    this.free.set(outside, free);
    return free;
  }

  /** A wait before a step is tried again, which a person can end. @returns whether one did */
  async untilRetried(stepId: string, wait: () => Promise<void>): Promise<boolean> {
    const open = this.open.get(stepId);
    const scope = new CancellationScope();
    let isAsked = false;
    const retry = () => {
      isAsked = true;
      scope.cancel();
    };
    if (open) open.retry = retry;
    try {
      await scope.run(wait);
    } catch (error) {
      if (!isAsked || !isCancellation(error)) throw error;
    } finally {
      if (open?.retry === retry) open.retry = undefined;
    }
    return isAsked;
  }
}
