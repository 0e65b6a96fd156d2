import { CancellationScope, CancelledFailure, proxyActivities } from "@temporalio/workflow";
import type { Activities } from "../activities/index.js";
import type { Done, DoneStep, Look, OpenWait } from "../contract/seed.js";
import { StepFailed } from "../sdk/step-failed.js";
import { afterwards, type Endings } from "./endings.js";

const PAGE = 500;

const { readDone } = proxyActivities<Activities>({
  summary: "what was done before",
  startToCloseTimeout: "1 hour",
  heartbeatTimeout: "20 seconds",
  retry: { initialInterval: "100ms", maximumInterval: "10 seconds" },
});

interface Asked {
  give: (ended: DoneStep | Look | undefined) => void;
  refuse: (error: Error) => void;
}

/**
 * The way that a run has gone so far, gone again by its program: whatever had ended is given to it as it was, in the same order,
 * at once and without a word.
 */
export class Resumption {
  /** The program is where it was. */
  isOver = false;
  /** The moment at which it is in the run's past. */
  now: number;
  private readonly asked = new Map<string, Asked>();
  private readonly page: DoneStep[] = [];
  private readonly steps: readonly number[];
  private given = 0;
  private told = 0;

  constructor(
    private readonly runId: string,
    private readonly done: Done,
    private readonly endings: Endings,
    /** How many looks at the tree are under way, which nothing can be said of before they are over. */
    private readonly looks: () => number,
  ) {
    this.now = done.began;
    this.steps = done.order.filter((number) => number > 0);
  }

  /**
   * @throws {StepFailed} `not_repeatable` when the program goes another way than it went.
   */
  async goAgain(): Promise<void> {
    await CancellationScope.nonCancellable(async () => {
      for (const [i, number] of this.done.order.entries()) await this.giveNext(i, number);
      await afterwards();
    });
    this.isOver = true;
    for (const { give } of this.asked.values()) give(undefined);
    this.asked.clear();
  }

  /** The step as it ended, when its turn has come; undefined when it had not, once all that had is given. */
  take(name: string): Promise<DoneStep | undefined> {
    return this.ask(name) as Promise<DoneStep | undefined>; // by its name
  }

  /** The same of a look at the tree. */
  async takeLook(number: number): Promise<Look | undefined> {
    return this.done.looks && (this.ask(nameOf("look", number)) as Promise<Look | undefined>);
  }

  private ask(name: string): Promise<DoneStep | Look | undefined> {
    if (this.isOver) return Promise.resolve(undefined);
    return new Promise((give, refuse) => this.asked.set(name, { give, refuse }));
  }

  /** The wait that this step had begun. */
  waitOf(name: string): OpenWait | undefined {
    return this.done.waits?.find(({ step: { key, iteration } }) => nameOf(key, iteration) === name);
  }

  /** The program tells something besides its steps. False: it has told that before. */
  tells(): boolean {
    const { asides } = this.done;
    if (asides === undefined) return this.isOver;
    return ++this.told > asides;
  }

  private async giveNext(i: number, number: number): Promise<void> {
    const [name, ended] = number < 0 ? this.look(number) : await this.step(number);
    // What the one before has led to by itself comes first; a program that then does not ask never will.
    await afterwards(() => this.looks() === 0);
    const asked = this.asked.get(name);
    if (!asked) throw this.lost(number, `its code does not come to it again`);
    this.asked.delete(name);
    const { times } = this.done;
    if (times) this.now += times[i] ?? 0;
    else if ("at" in ended) this.now = Math.max(this.now, ended.at);
    this.endings.note(number, this.now);
    asked.give(ended);
  }

  private look(number: number): [name: string, look: Look] {
    const look = this.done.looks?.[-number - 1];
    if (!look) throw this.lost(number, "what it gave is not known");
    return [nameOf("look", number), look];
  }

  private async step(number: number): Promise<[name: string, ended: DoneStep]> {
    if (this.page.length === 0) this.page.push(...(await this.read()));
    const ended = this.page.shift();
    if (ended?.number !== number) throw this.lost(number, "what it gave is not known");
    return [nameOf(ended.key, ended.iteration), ended];
  }

  private async read(): Promise<DoneStep[]> {
    const { setters } = this.done;
    const numbers = this.steps.slice(this.given, this.given + PAGE);
    const page = await readDone({ run_id: this.runId, numbers, ...(setters ? { setters } : {}) });
    this.given += page.length;
    return page;
  }

  private lost(number: number, why: string): StepFailed {
    for (const { refuse } of this.asked.values()) refuse(new CancelledFailure("The run cannot go on."));
    this.asked.clear();
    const cause = "Whatever its code does follows from its input and from what its steps gave, or it cannot be done again.";
    return new StepFailed(
      "resume",
      "not_repeatable",
      `The run cannot go on after ${number < 0 ? `its look ${-number} at the tree` : `its step ${number}`}: ${why}. ${cause}`,
    );
  }
}

export function nameOf(key: string, iteration: number): string {
  return `${iteration} ${key}`;
}
