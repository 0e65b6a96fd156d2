import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    pool: "forks",
    // The servers behind the tests want a core of their own.
    maxWorkers: 2,
    include: ["**/*.test.ts"],
    exclude: ["dist/**", "**/node_modules/**"],
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
