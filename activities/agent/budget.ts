import {
  type Budget,
  type BudgetClaim,
  claimKey,
  describeReached,
  type Left,
  larger,
  leftOf,
  type Measure,
  NOTHING_SPENT,
  reachedOf,
  type Spent,
  sum,
  tightestOf,
} from "../../contract/budget.js";
import type { Halt } from "../../contract/halt.js";

/** What a turn has to keep to, as its run knows it. */
export interface AgentBudgets {
  claims: BudgetClaim[];
  /** Somebody can be asked for more; else a budget that asks stops. */
  may_ask: boolean;
  /** How often people have let the project's be spent once more in this run. */
  project_granted: number;
}

/** What has been spent elsewhere. */
export interface SpendingRecords {
  /** By the agents of a run and of all runs under it. */
  ofRuns(runId: string): Promise<Spent>;
  /** Today's, by UTC, with the project's budget of a day. Null when it has none. */
  ofDay(projectId: string): Promise<{ budget: Budget; spent: Spent } | null>;
}

export interface BudgetDeps {
  /** Left out: a run knows its own agents alone. */
  spending?: SpendingRecords | undefined;
  warn?: ((message: string, error: unknown) => void) | undefined;
}

/** Nothing may be spent besides what a turn's claims leave. */
export class TurnBudget {
  constructor(
    private readonly claims: readonly BudgetClaim[],
    private readonly mayAsk: boolean,
  ) {}

  /** Of each measure that any claim limits. */
  get left(): Left {
    return leftOf(this.claims);
  }

  /** Why the turn may not begin; null when it may. */
  reached(): Reached | null {
    const claim = reachedOf(this.claims);
    return claim && this.of(claim, claim.spent);
  }

  /** What became of a turn that has spent all that was left of a measure. */
  spentBy(measure: Measure, spent: Spent): Reached | null {
    const claim = tightestOf(this.claims, measure);
    return claim ? this.of(claim, sum(claim.spent, spent)) : null;
  }

  private of(claim: BudgetClaim, spent: Spent): Reached {
    const message = describeReached(claim, spent);
    const asks = claim.budget.on_reached === "ask" && this.mayAsk;
    return { message, halt: asks ? { why: "budget", key: claimKey(claim), budget: claim.budget, message } : null };
  }
}

export interface Reached {
  message: string;
  /** Null when the step fails by it. */
  halt: Halt | null;
}

/**
 * The budgets that hold for a turn, with what is known of their spending by now. What Postgres does not tell just now is not known: then
 * a run's own count holds.
 */
export async function turnBudget(
  { spending, warn }: BudgetDeps,
  { run_id, project_id }: { run_id: string; project_id: string },
  { claims, may_ask, project_granted }: AgentBudgets = { claims: [], may_ask: false, project_granted: 0 },
): Promise<TurnBudget> {
  const unknown = (error: unknown) => warn?.("What was spent of a budget is not known.", error);
  const told = await Promise.all(
    claims.map(async (claim) => {
      if (claim.of !== "run") return claim;
      const spent = await spending?.ofRuns(claim.run_id ?? run_id).catch(unknown);
      return { ...claim, spent: larger(claim.spent, spent ?? NOTHING_SPENT) };
    }),
  );
  const day = await spending?.ofDay(project_id).catch(unknown);
  const project: BudgetClaim[] = day ? [{ of: "project", ...day, granted: project_granted }] : [];
  return new TurnBudget([...told, ...project], may_ask);
}
