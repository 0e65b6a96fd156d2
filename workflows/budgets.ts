import { type Budget, type BudgetClaim, claimKey, NOTHING_SPENT, type RunBudget, type Spent, sum } from "../contract/budget.js";

/** What a run's next execution has to know of its budgets. */
export interface BudgetsState {
  spent: Spent;
  granted: Record<string, number>;
}

/** What the agents of a run have spent, and the budgets that hold for them: the run's own and those of the runs above it. */
export class Budgets {
  /** By the run's own agents, and not by those of the runs under it. */
  spent: Spent;
  private readonly granted: Record<string, number>;

  constructor(
    private readonly runId: string,
    /** Of the runs above it. */
    private readonly above: readonly RunBudget[] = [],
    /** Of the run itself. */
    public own?: Budget | undefined,
    before?: BudgetsState,
  ) {
    this.spent = before?.spent ?? NOTHING_SPENT;
    this.granted = { ...before?.granted };
  }

  handOver(): BudgetsState {
    return { spent: this.spent, granted: this.granted };
  }

  add(spent: Spent): void {
    this.spent = sum(this.spent, spent);
  }

  /** Somebody lets as much again be spent. */
  grant(key: string): void {
    this.granted[key] = this.grantedFor(key) + 1;
  }

  /** How often that was so in this run. */
  grantedFor(key: string): number {
    return this.granted[key] ?? 0;
  }

  /** What a turn has to keep to, as far as the run knows it. */
  claims(): BudgetClaim[] {
    const own = this.own && { run_id: this.runId, budget: this.own, granted: 0, spent: this.spent };
    const above = this.above.map((budget) => ({ ...budget, spent: NOTHING_SPENT }));
    return [...(own ? [own] : []), ...above].map((claim) => this.withGranted({ of: "run", ...claim }));
  }

  /** What a run under this one has to keep to. */
  below(): RunBudget[] {
    return this.claims().map(({ run_id = "", budget, granted }) => ({ run_id, budget, granted }));
  }

  private withGranted(claim: BudgetClaim): BudgetClaim {
    return { ...claim, granted: claim.granted + this.grantedFor(claimKey(claim)) };
  }
}
