import { condition } from "@temporalio/workflow";
import type { AgentBudgets } from "../activities/agent/budget.js";
import {
  type Budget,
  type BudgetClaim,
  type CountedUsage,
  claimKey,
  describeBudget,
  describeReached,
  difference,
  larger,
  NOTHING_SPENT,
  reachedOf,
  type Spent,
  spentBy,
  sum,
} from "../contract/budget.js";
import type { Halt } from "../contract/halt.js";
import type { WaitingFor } from "../contract/run.js";
import { StepFailed } from "../sdk/step-failed.js";
import type { Engine, Place } from "./engine.js";

/** What an agent's step spends in all its tries, and what it has to keep to. */
export class StepBudget {
  private spent: Spent = NOTHING_SPENT;
  private granted = 0;
  /** What the turn under way has told so far. */
  private told: Spent = NOTHING_SPENT;
  private readonly mayAsk: boolean;

  /** @param own the step's own budget */
  constructor(
    private readonly engine: Engine,
    private readonly key: string,
    private readonly own: Budget | undefined,
  ) {
    // What is done inside another step may not wait for a person, and neither may what nobody attends.
    this.mayAsk = engine.spec.interactive !== false && engine.place === undefined;
  }

  /** A new try: what it tells is counted from nothing. */
  beginTry(): void {
    this.told = NOTHING_SPENT;
  }

  /** What a turn is told. */
  forTurn(): AgentBudgets {
    const { budgets } = this.engine;
    return { claims: this.claims(), may_ask: this.mayAsk, project_granted: budgets.grantedFor(claimKey({ of: "project" })) };
  }

  /**
   * Count what an activity has told.
   *
   * @param usage of the whole try so far; undefined when it told nothing
   * @param ms that this activity took
   */
  count(usage: CountedUsage | undefined, ms: number): void {
    const told = usage ? larger(spentBy(usage, 0), this.told) : this.told;
    const more = { ...difference(told, this.told), minutes: ms / 60_000 };
    this.told = told;
    this.spent = sum(this.spent, more);
    this.engine.budgets.add(more);
  }

  /**
   * Before a turn: a budget that is spent ends the step, or asks.
   *
   * @throws {StepFailed} `budget_exceeded`
   */
  async admit(place: Place): Promise<void> {
    for (;;) {
      const reached = reachedOf(this.claims());
      if (!reached) return;
      const message = describeReached(reached, reached.spent);
      if (reached.budget.on_reached !== "ask" || !this.mayAsk) throw this.exceeded(message);
      await this.ask(place, { key: claimKey(reached), message, budget: reached.budget });
    }
  }

  /**
   * The step waits until somebody lets as much again be spent, here or in another step of the run.
   *
   * @throws {StepFailed} `budget_exceeded` when nobody does
   */
  async ask(place: Place, { key, message, budget }: Pick<Halt & { why: "budget" }, "key" | "message" | "budget">): Promise<void> {
    const { step } = place;
    const { approvals } = this.engine;
    const before = this.grantedFor(key);
    const question = `${message} Go on, with another ${describeBudget(budget)}?`;
    const since = new Date().toISOString();
    approvals.begin(step.id);
    try {
      const isOver = () => approvals.answerOf(step.id) !== null || this.grantedFor(key) > before;
      const waiting_for: WaitingFor = { kind: "approval", step_id: step.id, message: question, since };
      await this.engine.standStill(place, waiting_for, () => condition(isOver));
      const answer = approvals.answerOf(step.id);
      if (!answer) return;
      if (!answer.approved) {
        const why = answer.comment ? `: ${answer.comment}` : ".";
        throw this.exceeded(`${message} ${answer.by ?? "Nobody"} did not let it go on${why}`);
      }
      this.grant(key);
    } finally {
      approvals.end(step.id);
    }
  }

  private claims(): BudgetClaim[] {
    const own: BudgetClaim[] = this.own ? [{ of: "step", budget: this.own, spent: this.spent, granted: this.granted }] : [];
    return [...own, ...this.engine.budgets.claims()];
  }

  private isOwn(key: string): boolean {
    return key === claimKey({ of: "step" });
  }

  private grantedFor(key: string): number {
    return this.isOwn(key) ? this.granted : this.engine.budgets.grantedFor(key);
  }

  private grant(key: string): void {
    if (this.isOwn(key)) this.granted++;
    else this.engine.budgets.grant(key);
  }

  private exceeded(message: string): StepFailed {
    return new StepFailed(this.key, "budget_exceeded", message);
  }
}
