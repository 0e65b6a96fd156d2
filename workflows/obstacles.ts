import type { StepRef } from "../contract/fact.js";
import type { Engine } from "./engine.js";
import { obstacleTo } from "./hand-over.js";

/** Characters that a function may give to be given again in a further execution. */
const MOST_GIVEN_AGAIN = 500_000;

/** Why the run of a program cannot go on in a further execution, as far as it has shown. */
export class Obstacles {
  private unrepeatable: string | undefined;
  private heavy: string | undefined;
  private told = false;

  constructor(private readonly engine: Engine) {}

  /** The program has used something whose effects are not kept: what it does cannot be done again from what its steps gave. */
  cannotRepeat(what: string): void {
    if (!this.engine.place) this.unrepeatable ??= what;
  }

  /** What a function gave is in no history yet: to be given again it has to go through one, as a whole. */
  weigh({ key }: StepRef, value: unknown): void {
    const { length = 0 } = JSON.stringify(value) ?? "";
    if (length > MOST_GIVEN_AGAIN)
      this.heavy ??= `its function "${key}" gave ${length} characters, more than ${MOST_GIVEN_AGAIN}`;
  }

  /** Undefined when it can. People are told, once. */
  first(): string | undefined {
    const obstacle = this.heavy ?? obstacleTo(this.engine, this.unrepeatable);
    if (obstacle === undefined || this.told) return obstacle;
    this.told = true;
    const text = `The run's history has become long, and it stays in it: ${obstacle}. It ends with history_limit when that is full.`;
    this.engine.narrator.tell({ type: "log", level: "warn", text, step_id: null, attempt: 1 });
    return obstacle;
  }
}
