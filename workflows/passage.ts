import { CancellationScope, CancelledFailure, condition, workflowInfo } from "@temporalio/workflow";
import type { OpenWait } from "../contract/seed.js";
import type { Life } from "./life.js";

/** While something is under way, so many times as long: it would have to be waited for. */
const PATIENCE = 5;

/** Events of history until it is looked again whether what stood in the way is still there. */
const LOOK_AGAIN = 600;

/**
 * When the run of a program passes to a further execution: its history has become long, and all that is under way are waits, which go on
 * there. From five times as long no further step is begun until it is so.
 */
export class Passage {
  /** Nothing goes on in this execution any more. */
  isFrozen = false;
  /** Why the run stays where it is, although its history has become long. */
  heldBack: string | undefined;
  readonly waits = new Map<number, OpenWait>();
  private isClosing = false;
  private under = 0;
  private gathering = 0;
  private from: number;

  constructor(
    private readonly life: Life,
    private readonly continueAfter: number,
    /** Why it cannot pass; undefined when it can. */
    private readonly obstacle: () => string | undefined,
  ) {
    this.from = continueAfter;
  }

  /** The program is where it was in an earlier execution: it is to do something in this one, too. */
  begin(): void {
    this.from = workflowInfo().historyLength + this.continueAfter;
  }

  /** Something is under way until the returned function is called. `gathers`: so are steps of its own. */
  busy({ gathers = false }: { gathers?: boolean | undefined } = {}): () => void {
    this.under++;
    if (gathers) this.gathering++;
    return () => {
      this.under--;
      if (gathers) this.gathering--;
    };
  }

  /** Before something begins: whether it has to wait. */
  get isShut(): boolean {
    if (!this.isClosing) this.closeWhenLong();
    return this.isClosing || this.life.isPaused;
  }

  /** Waits until something may begin: while the run is paused, and while it passes. */
  async enter(): Promise<void> {
    while (this.isShut) {
      if (!this.isClosing) await this.life.gate();
      else await this.nextExecution();
      if (CancellationScope.current().consideredCancelled) throw new CancelledFailure("The run was stopped.");
    }
  }

  /** For people it is under way: the run does not wait. */
  private async nextExecution(): Promise<void> {
    const done = this.life.busy();
    try {
      await CancellationScope.nonCancellable(() => condition(() => !this.isClosing));
    } finally {
      done();
    }
  }

  /** What waits goes on in the next execution, and not here. */
  async thaw(): Promise<void> {
    if (this.isFrozen) await CancellationScope.nonCancellable(() => condition(() => !this.isFrozen));
  }

  /** Whether the run passes now. To be asked when all that can go on by itself has done so: from then on nothing does. */
  passes(isStill: boolean): boolean {
    if (!this.isClosing && this.under === 0) this.closeWhenLong();
    if (this.isClosing && this.under === 0 && isStill) this.isFrozen = true;
    return this.isFrozen;
  }

  /** The run does not pass after all. */
  cancel(): void {
    this.isFrozen = this.isClosing = false;
    this.from = Number.POSITIVE_INFINITY;
  }

  private closeWhenLong(): void {
    const { historyLength } = workflowInfo();
    if (historyLength < this.from || this.gathering > 0) return;
    if (this.under > 0 && historyLength < this.from + this.continueAfter * (PATIENCE - 1)) return;
    this.heldBack = this.obstacle();
    if (this.heldBack === undefined) this.isClosing = true;
    else this.from = historyLength + LOOK_AGAIN;
  }
}
