import { defineConfig } from "vitest/config";

const NEVER = ["dist/**", "**/node_modules/**"];

/** Their tests leave something in their process: variables of the environment, a Temporal runtime of its own, processes. */
const ALONE = [
  "activities/agent/{acp,agent,claude,codex,limit,mcp-servers,provider,repair,session,verify}",
  "activities/tool/{tool,agent/agent}",
  "activities/{child-process,launcher,perform,prepare-child,recover,shell,spare,user-activity}",
  "local/{api-main,migrate-main,model-server,postgres,processes,serve,stack,temporal}",
  "test/{by-hand,conditions-in-sandbox,limits}",
  "test/{covered,faults}/**/*",
].map((names) => `${names}.test.ts`);

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
      { extends: true, test: { name: "alone", include: ALONE, exclude: NEVER } },
      // The others share a process, which reads what they import once.
      {
        extends: true,
        test: { name: "shared", include: ["**/*.test.ts"], exclude: [...NEVER, ...ALONE], isolate: false },
      },
    ],
  },
});
