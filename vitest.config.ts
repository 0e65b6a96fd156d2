import { defineConfig } from "vitest/config";

const NEVER = ["dist/**", "**/node_modules/**"];

/** Their tests leave something in their process: variables of the environment, a Temporal runtime of its own. */
const ALONE = ["*.test.ts", "{activities,bench,docs,examples,local}/**/*.test.ts", "test/{agents,covered,faults}/**/*.test.ts"];
const ONE_ALONE = "test/conditions-in-sandbox.test.ts";

export default defineConfig({
  test: {
    pool: "forks",
    // Most tests wait for servers and processes of theirs: one more than the two cores that this is meant for.
    maxWorkers: 3,
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/after-file.ts"],
    // Limits are for what hangs: on a busy machine all takes its time.
    testTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: "alone", include: [...ALONE, ONE_ALONE], exclude: NEVER } },
      // The others share a process, which reads what they import once.
      { extends: true, test: { name: "shared", include: ["**/*.test.ts"], exclude: [...NEVER, ...ALONE, ONE_ALONE], isolate: false } },
    ],
  },
});
