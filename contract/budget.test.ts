import { describe, expect, test } from "vitest";
import {
  Budget,
  type BudgetClaim,
  describeReached,
  leftOf,
  NOTHING_SPENT,
  reachedOf,
  type Spent,
  spentBy,
  tightestOf,
} from "./budget.js";

describe("a budget", () => {
  test("says of one measure at least how much of it may be spent", () => {
    expect(Budget.safeParse({ usd: 1, on_reached: "ask" }).success).toBe(true);
    for (const none of [{}, { on_reached: "ask" }, { usd: 0 }, { turns: 1.5 }, { euros: 1 }]) {
      expect(Budget.safeParse(none).success).toBe(false);
    }
  });

  test("is reached when all of a measure is spent, whatever floating numbers make of the sum", () => {
    const tenths = Array.from({ length: 10 }, () => 0.1).reduce((a, b) => a + b);

    expect(tenths).toBeLessThan(1);
    expect(reachedOf([claim({ usd: 1 }, { usd: tenths })])).toMatchObject({ of: "step" });
    expect(reachedOf([claim({ usd: 1 }, { usd: 0.9 })])).toBeNull();
    expect(reachedOf([claim({ usd: 1, turns: 2 }, { turns: 2 })])).not.toBeNull();
  });

  test("grows by its own size each time that it is granted", () => {
    expect(leftOf([{ ...claim({ usd: 1 }, { usd: 1.2 }), granted: 1 }]).usd).toBeCloseTo(0.8);
  });

  test("together with others leaves what the tightest leaves, of each measure", () => {
    const claims = [claim({ usd: 1, turns: 5 }, { turns: 4 }), { ...claim({ usd: 3 }, { usd: 2.5 }), of: "project" as const }];

    expect(leftOf(claims)).toEqual({ usd: 0.5, turns: 1 });
    expect(tightestOf(claims, "usd")).toMatchObject({ of: "project" });
    expect(tightestOf(claims, "tokens")).toBeUndefined();
  });

  test("says whose it is and what was spent", () => {
    const reached = claim({ usd: 1, turns: 9 }, { usd: 0.3 + 0.3 + 0.3 + 0.3, turns: 4 });

    expect(describeReached(reached, reached.spent)).toBe("The budget of the step is reached: 1.2 of 1 dollars.");
  });
});

test("of a usage counts what was paid for: a cost where it is told, and no token that came from a cache", () => {
  const usage = { input_tokens: 5, output_tokens: 7, cache_creation_input_tokens: 1, cache_read_input_tokens: 900, turns: 2 };

  expect(spentBy({ ...usage, cost_usd: null }, 90_000)).toEqual({ usd: 0, tokens: 13, turns: 2, minutes: 1.5 });
});

function claim(budget: Budget, spent: Partial<Spent>): BudgetClaim {
  return { of: "step", budget, spent: { ...NOTHING_SPENT, ...spent }, granted: 0 };
}
