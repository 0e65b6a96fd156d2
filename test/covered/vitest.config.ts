// The test suite as `npm run coverage` runs it: lines counted here, and processes told to count theirs.

import { mergeConfig } from "vitest/config";
import tests from "../../vitest.config.js";

/** Absolute folders for the counts: of the tests themselves, and one file for each process they start. */
const { LONGHAUL_COVERAGE_HERE: here, LONGHAUL_COVERAGE_SPAWNED: spawned } = process.env;
if (!here || !spawned) throw new Error("This is for `npm run coverage`.");

export default mergeConfig(tests, {
  test: {
    // Set in the test processes once they run, so Node takes it for their children and threads alone.
    env: { NODE_V8_COVERAGE: spawned },
    coverage: {
      enabled: true,
      provider: "v8",
      reporter: ["json"],
      reportsDirectory: here,
      reportOnFailure: true,
      include: ["{activities,api,contract,db,definition,local,sdk,worker,workflows}/**/*.ts", "*.ts"],
      exclude: ["**/*.test.ts", "**/*.config.ts", "test/**", "bench/**", "docs/**", "examples/**"],
    },
  },
});
