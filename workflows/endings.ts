import { CancellationScope, condition } from "@temporalio/workflow";
import { untraced } from "./untraced.js";

/**
 * What has ended is handed to the program one by one, and the next only when all that followed of the last has been done: the way that a
 * program takes then follows from the order of the endings, and from what each has given.
 */
export class Endings {
  /** Of all that was handed over, in that order: steps by number. */
  readonly order: number[] = [];
  /** When each was, in milliseconds after the one before; the first after the program began. */
  readonly times: number[] = [];
  private readonly waiting: { mark: number; hand: () => void }[] = [];
  /**
   * @param isFrozen while it says so nothing is handed over
   * @param last when the program began, in milliseconds since 1970
   */
  constructor(
    private readonly isFrozen: () => boolean,
    private last: number,
  ) {
    CancellationScope.nonCancellable(() => this.handOver()).catch(() => undefined); // it never ends
  }

  /** Nothing waits to be handed over. */
  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** Resolves when it is this one's turn: what it gave is to be given at once. */
  turn(mark: number): Promise<void> {
    return untraced(() => new Promise((hand) => this.waiting.push({ mark, hand })));
  }

  /** What was handed over in an earlier execution. */
  note(mark: number, at: number): void {
    this.order.push(mark);
    this.times.push(at - this.last);
    this.last = at;
  }

  private async handOver(): Promise<never> {
    for (;;) {
      await untraced(() => afterwards(() => !this.isFrozen() && this.waiting.length > 0));
      const next = this.waiting.shift();
      if (!next) continue;
      this.note(next.mark, Date.now());
      next.hand();
    }
  }
}

/** Resolves when it holds after all that can go on by itself has done so. */
export function afterwards(holds: () => boolean = () => true): Promise<void> {
  return condition(whenSettled(holds));
}

/** Temporal looks at a condition when all that can go on by itself has done so; and once before, as the wait begins. */
function whenSettled(holds: () => boolean): () => boolean {
  let looked = false;
  return () => {
    if (looked) return holds();
    looked = true;
    return false;
  };
}
