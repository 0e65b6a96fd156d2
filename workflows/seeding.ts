import { ApplicationFailure, condition, proxyActivities } from "@temporalio/workflow";
import type { Activities } from "../activities/index.js";
import type { FailureDetail } from "../contract/activity.js";
import type { StepRef } from "../contract/fact.js";
import type { Seed, SeededStep, SeedPage } from "../contract/seed.js";
import { afterwards } from "./endings.js";
import type { Engine, Work } from "./engine.js";

/** How long a step that had ended waits for one that ended before it, and that changed code may never begin. */
const IN_TURN = "1 second";

/** In a trial: so often nothing has gone on that a step need not wait for one before it. */
const STILL = 20;

const { readSeed } = proxyActivities<Activities>({
  summary: "what was done before",
  startToCloseTimeout: "1 hour",
  heartbeatTimeout: "20 seconds",
  retry: { initialInterval: "100ms", maximumInterval: "10 seconds" },
});

/** What the steps of another run gave, for the steps with the same key of a run that goes on from it: each once, in the order in which they ended there. */
export class Seeding {
  private readonly left = new Map<string, { step: SeededStep; at: number }>();
  private read = 0;
  private next: number | null = 0;
  private turn = 0;
  private reading: Promise<void> = Promise.resolve();
  /** Of a trial: how often something has gone on. */
  private moves = 0;
  private readonly early = new Set<number>();

  constructor(private readonly seed: Seed) {
    if (seed.tried) this.add({ steps: seed.tried, next: null });
  }

  /**
   * The step as it ended there, when its turn has come; undefined when it had not, and is to be done.
   *
   * @param isGathered what it gives is made of what steps of its own give: those are taken, and it is done, unless it is to have given something else
   */
  async take({ key, iteration }: StepRef, isGathered = false): Promise<SeededStep | undefined> {
    const name = `${iteration} ${key}`;
    const find = () => this.left.get(name);
    while (!find() && this.next !== null) {
      this.reading = this.reading.then(() => (find() ? undefined : this.readOn()));
      await this.reading;
    }
    const found = find();
    if (!found) return undefined;
    this.left.delete(name);
    const inTurn = this.inTurn(found.at);
    if (isGathered && !Object.hasOwn(this.seed.outputs ?? {}, found.step.number)) {
      inTurn.catch(() => undefined); // it ends once more when its steps do: nobody waits
      return undefined;
    }
    await inTurn;
    return found.step;
  }

  private async inTurn(at: number): Promise<void> {
    this.moves++;
    if (this.turn < at) await (this.seed.tried ? this.whenStill(at) : condition(() => this.turn >= at, IN_TURN));
    this.turn = Math.max(this.turn, at + 1);
  }

  /** In a trial, where no time passes: when it is its turn, or it is the first of those that wait and nothing else goes on. */
  private async whenStill(at: number): Promise<void> {
    this.early.add(at);
    for (let seen = this.moves, still = 0; this.turn < at && still < STILL; still++) {
      await afterwards();
      if (seen !== this.moves || at !== Math.min(...this.early)) still = 0;
      seen = this.moves;
    }
    this.early.delete(at);
    this.moves++;
  }

  private async readOn(): Promise<void> {
    if (this.next !== null) this.add(await readSeed({ seed: this.seed, from: this.next }));
  }

  private add({ steps, next }: SeedPage): void {
    for (const step of steps) this.left.set(`${step.iteration} ${step.key}`, { step, at: this.read++ });
    this.next = next;
  }
}

/** Instead of a step's work: what it gave, or how it failed. */
export function giveBack<Value>(engine: Engine, ended: SeededStep): Work<Value> {
  const { started_at, completed_at, output, error, tree, state } = ended;
  return async ({ step, attempt }) => {
    const text = `taken from step ${ended.number} of ${engine.spec.seed?.run_id}`;
    engine.narrator.tell({ type: "log", level: "info", text, step_id: step.id, attempt });
    if (state) engine.notes.setState(state);
    const trace = { started_at, completed_at, lost: [] };
    if (ended.status === "completed") return { ...trace, value: output as Value, tree: tree ?? undefined }; // what the same step gave there
    const detail: FailureDetail = { ...trace, output };
    throw ApplicationFailure.create({
      type: error?.type ?? "error",
      message: error?.message ?? "",
      details: [detail],
      nonRetryable: true,
    });
  };
}
