import { defineConfig } from "vitest/config";

const NEVER = ["dist/**", "**/node_modules/**"];

/** Their tests leave something in their process: variables of the environment, a Temporal runtime of its own. */
const ALONE = ["*.test.ts", "{activities,bench,docs,examples,local}/**/*.test.ts", "test/{agents,covered,faults}/**/*.test.ts"];
const MORE_ALONE = ["by-hand", "conditions-in-sandbox", "limits"].map((name) => `test/${name}.test.ts`);

export default defineConfig({
  test: {
    pool: "forks",
    // Most tests wait for servers and processes of theirs: twice the two cores that this is meant for.
    maxWorkers: 4,
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/after-file.ts"],
    // Limits are for what hangs: on a busy machine all takes its time.
    testTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: "alone", include: [...ALONE, ...MORE_ALONE], exclude: NEVER } },
      // The others share a process, which reads what they import once.
      {
        extends: true,
        test: { name: "shared", include: ["**/*.test.ts"], exclude: [...NEVER, ...ALONE, ...MORE_ALONE], isolate: false },
      },
    ],
  },
});
