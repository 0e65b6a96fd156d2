import type { LoadAnswer, PlanRequest } from "./load.js";
import { LoadProcess } from "./load-process.js";

/**
 * The one process that reads all definitions. Nothing of theirs is run as code, so they need not be kept from one another as programs
 * are, and V8 makes the reader faster with each. They take turns: one that is ended for taking too long takes no other with it.
 */
export class PlanProcess {
  private process: LoadProcess | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  /** @param timeLimitMs from when it has begun */
  ask(request: PlanRequest, timeLimitMs: number): Promise<LoadAnswer> {
    const answer = this.turn.then(() => this.alive().ask(request, timeLimitMs));
    this.turn = answer.catch(() => undefined);
    return answer;
  }

  private alive(): LoadProcess {
    if (!this.process?.alive) this.process = new LoadProcess("plan");
    return this.process;
  }
}
