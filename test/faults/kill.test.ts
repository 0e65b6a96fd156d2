import { expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { Harness } from "./harness.js";
import { killRound } from "./kill-round.js";

const SEED = 7;

test("runs that are killed three times at seeded moments lose nothing, and repeat nothing they do not tell of (F2, F6, F9, F13)", {
  timeout: 240_000,
}, async () => {
  const harness = await Harness.start({ folder: testFolder() });
  try {
    const result = await killRound(harness, { seed: SEED, kills: 3, runs: 2, steps: 20, atOnce: 2, rebuilt: true });

    expect(result.findings).toEqual([]);
    expect(result.workerKills + result.treeKills).toBe(3);
    expect(result.steps).toBeGreaterThanOrEqual(40);
  } finally {
    await harness.stop();
  }
});
