import { expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { Harness } from "./harness.js";
import { killRound } from "./kill-round.js";
import { long, SEED } from "./seed.js";

test("runs that are killed at seeded moments lose nothing, and repeat nothing they do not tell of (F2, F6, F9, F13)", {
  timeout: 240_000,
}, async () => {
  const kills = long ? 8 : 3;
  const harness = await Harness.start({ folder: testFolder() });
  try {
    const result = await killRound(harness, { seed: SEED, kills, runs: 2, steps: 20, atOnce: 2, rebuilt: true });

    expect(result.findings).toEqual([]);
    expect(result.workerKills + result.treeKills).toBe(kills);
    expect(result.steps).toBeGreaterThanOrEqual(40);
  } finally {
    await harness.stop();
  }
});
