import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    pool: "forks",
    // Most tests wait for servers and processes of theirs: one more than the two cores that this is meant for.
    maxWorkers: 3,
    include: ["**/*.test.ts"],
    exclude: ["dist/**", "**/node_modules/**"],
    globalSetup: ["test/support/global-setup.ts"],
    // Limits are for what hangs: on a busy machine all takes its time.
    testTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
  },
});
