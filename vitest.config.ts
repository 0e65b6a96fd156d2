import { defineConfig } from "vitest/config";

/** Their tests leave nothing in their process, so that they share one, which reads what they import once. */
const SHARED = ["api", "cli", "contract", "db", "definition", "sdk", "worker", "workflows"].map(
  (folder) => `${folder}/**/*.test.ts`,
);

export default defineConfig({
  test: {
    pool: "forks",
    // Most tests wait for servers and processes of theirs: one more than the two cores that this is meant for.
    maxWorkers: 3,
    exclude: ["dist/**", "**/node_modules/**"],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/after-file.ts"],
    // Limits are for what hangs: on a busy machine all takes its time.
    testTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: "alone", include: ["**/*.test.ts"], exclude: ["dist/**", "**/node_modules/**", ...SHARED] },
      },
      { extends: true, test: { name: "shared", include: SHARED, isolate: false } },
    ],
  },
});
