import { z } from "zod";

/** What agents may spend. Each measure that is said counts by itself; the first that is reached ends it. */
export const Budget = z
  .strictObject({
    /** Dollars, as agents tell them. */
    usd: z.number().positive().optional(),
    /** Read and written by models; what comes from a cache does not count. */
    tokens: z.int().min(1).optional(),
    /** Answers of models. */
    turns: z.int().min(1).optional(),
    /** That agents are at work. */
    minutes: z.number().positive().optional(),
    /** @default "stop" */
    on_reached: z.enum(["stop", "ask"]).optional(),
  })
  .refine((budget) => MEASURES.some((measure) => budget[measure] !== undefined), {
    error: "says nothing of what may be spent: usd, tokens, turns or minutes",
  });
export type Budget = z.infer<typeof Budget>;

export const MEASURES = ["usd", "tokens", "turns", "minutes"] as const;
export type Measure = (typeof MEASURES)[number];

export type Spent = Record<Measure, number>;

export const NOTHING_SPENT: Spent = { usd: 0, tokens: 0, turns: 0, minutes: 0 };

/** A budget that a turn has to keep to. */
export interface BudgetClaim {
  /** A run's holds for the runs under it, too; a project's for a day (UTC). */
  of: "step" | "run" | "project";
  /** Whose it is, of a run's. */
  run_id?: string;
  budget: Budget;
  /** Before the turn. */
  spent: Spent;
  /** How often people have let as much again be spent. */
  granted: number;
}

/** A run's budget, as the runs under it keep to it. */
export type RunBudget = Required<Pick<BudgetClaim, "run_id" | "budget" | "granted">>;

/** What of an agent's usage counts. */
export interface CountedUsage {
  input_tokens: number;
  output_tokens: number;
  cache_creation_input_tokens: number;
  cost_usd: number | null;
  turns: number;
}

/** Whatever a turn has left to spend; a measure of which nobody says anything is not there. */
export type Left = Partial<Spent>;

/** Sums of dollars are not exact. */
const EPSILON = 1e-9;

export function spentBy(usage: CountedUsage, ms: number): Spent {
  const { input_tokens, output_tokens, cache_creation_input_tokens, cost_usd, turns } = usage;
  const tokens = input_tokens + output_tokens + cache_creation_input_tokens;
  return { usd: cost_usd ?? 0, tokens, turns, minutes: ms / 60_000 };
}

export function sum(a: Spent, b: Spent): Spent {
  return each((measure) => a[measure] + b[measure]);
}

export function difference(a: Spent, b: Spent): Spent {
  return each((measure) => Math.max(0, a[measure] - b[measure]));
}

export function larger(a: Spent, b: Spent): Spent {
  return each((measure) => Math.max(a[measure], b[measure]));
}

function each(of: (measure: Measure) => number): Spent {
  return { usd: of("usd"), tokens: of("tokens"), turns: of("turns"), minutes: of("minutes") };
}

/** What all claims together leave. */
export function leftOf(claims: readonly BudgetClaim[]): Left {
  const left: Left = {};
  for (const claim of claims) {
    for (const measure of MEASURES) {
      const rest = restOf(claim, measure);
      if (rest !== undefined) left[measure] = Math.min(left[measure] ?? rest, rest);
    }
  }
  return left;
}

/** The first claim of which a measure is spent; null when there is none. */
export function reachedOf(claims: readonly BudgetClaim[]): BudgetClaim | null {
  return claims.find((claim) => MEASURES.some((measure) => isSpent(claim, measure))) ?? null;
}

/** The claim that leaves least of a measure. */
export function tightestOf(claims: readonly BudgetClaim[], measure: Measure): BudgetClaim | undefined {
  const rest = (claim: BudgetClaim) => restOf(claim, measure) ?? Number.POSITIVE_INFINITY;
  return claims.filter((claim) => claim.budget[measure] !== undefined).toSorted((a, b) => rest(a) - rest(b))[0];
}

/** Names a claim among those of a turn. */
export function claimKey({ of, run_id = "" }: Pick<BudgetClaim, "of" | "run_id">): string {
  return `${of}:${run_id}`;
}

/** A sentence that says whose budget is reached, and by how much. */
export function describeReached(claim: BudgetClaim, spent: Spent): string {
  const measures = MEASURES.filter((measure) => isSpent({ ...claim, spent }, measure));
  const amounts = measures.map((measure) => `${shown(spent[measure])} of ${shown(limitOf(claim, measure))} ${WORDS[measure]}`);
  return `The budget of ${OWNER[claim.of](claim)} is reached: ${amounts.join(", ")}.`;
}

/** The budget itself: `1 dollars, 50 turns`. */
export function describeBudget(budget: Budget): string {
  return MEASURES.flatMap((measure) => {
    const limit = budget[measure];
    return limit === undefined ? [] : [`${shown(limit)} ${WORDS[measure]}`];
  }).join(", ");
}

const WORDS: Readonly<Record<Measure, string>> = { usd: "dollars", tokens: "tokens", turns: "turns", minutes: "minutes" };

const OWNER: Readonly<Record<BudgetClaim["of"], (claim: BudgetClaim) => string>> = {
  step: () => "the step",
  run: ({ run_id }) => `the run ${run_id}, with the runs under it,`,
  project: () => "the project for today",
};

function limitOf({ budget, granted }: BudgetClaim, measure: Measure): number {
  return (budget[measure] ?? Number.POSITIVE_INFINITY) * (1 + granted);
}

function restOf(claim: BudgetClaim, measure: Measure): number | undefined {
  return claim.budget[measure] === undefined ? undefined : Math.max(0, limitOf(claim, measure) - claim.spent[measure]);
}

function isSpent(claim: BudgetClaim, measure: Measure): boolean {
  const rest = restOf(claim, measure);
  return rest !== undefined && rest < EPSILON;
}

/** Without what floating numbers add. */
function shown(amount: number): string {
  return String(Math.round(amount * 10_000) / 10_000);
}
