import type { StepRef } from "../contract/fact.js";
import type { StepKind } from "../contract/step.js";

/** What a run's next execution numbers on from. */
export interface Numbered {
  /** How many steps there were. */
  numbers: number;
  /** Doings of each key. */
  iterations: Record<string, number>;
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

  next(kind: StepKind, key: string, { name = key, phase }: { name?: string | undefined; phase: string | null }): StepRef {
    const number = ++this.numbers;
    const iteration = (this.iterations.get(key) ?? 0) + 1;
    this.iterations.set(key, iteration);
    return { id: `${this.runId}-${number}`, number, key, name, phase, kind, iteration };
  }

  handOver(): Numbered {
    return { numbers: this.numbers, iterations: Object.fromEntries(this.iterations) };
  }
}
