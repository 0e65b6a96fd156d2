import type { StepRef } from "../contract/fact.js";
import type { StepKind } from "../contract/step.js";

/** What a run's next execution numbers on from. */
export interface Numbered {
  /** How many steps there were. */
  numbers: number;
  /** Doings of each key. */
  iterations: Record<string, number>;
}

interface Named {
  name?: string | undefined;
  phase?: string | null;
}

/** Numbers the steps of a run, and counts how often each key was done. */
export class Numbering {
  private numbers: number;
  private readonly iterations: Map<string, number>;

  constructor(
    private readonly runId: string,
    before?: Numbered,
  ) {
    this.numbers = before?.numbers ?? 0;
    this.iterations = new Map(Object.entries(before?.iterations ?? {}));
  }

  /** @param iteration when it was counted already */
  next(kind: StepKind, key: string, named: Named, iteration = this.count(key)): StepRef {
    return this.refOf(++this.numbers, kind, key, named, iteration);
  }

  /** One more doing of the key: the how manieth it is. */
  count(key: string): number {
    const iteration = (this.iterations.get(key) ?? 0) + 1;
    this.iterations.set(key, iteration);
    return iteration;
  }

  /** It was not done after all. */
  uncount(key: string): void {
    this.iterations.set(key, (this.iterations.get(key) ?? 1) - 1);
  }

  refOf(number: number, kind: StepKind, key: string, { name = key, phase = null }: Named, iteration: number): StepRef {
    return { id: `${this.runId}-${number}`, number, key, name, phase, kind, iteration };
  }

  handOver(): Numbered {
    return { numbers: this.numbers, iterations: Object.fromEntries(this.iterations) };
  }
}
