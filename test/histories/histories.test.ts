// Runs that an earlier build has recorded go the same way by this one. `npm run histories` records them anew, for a release.
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { StepKind } from "../../contract/step.js";
import { buildIn, ownBuild } from "../../worker/replays-of-build.js";
import { INTERPRETER_EDITS } from "../deploys/interpreter-edits.js";
import { otherBuild } from "../deploys/other-build.js";
import { longhaul } from "../support/longhaul.js";
import { scriptedModel } from "../support/scripted-model.js";
import { served } from "../support/served.js";
import { testFolder } from "../support/stack.js";
import { prepare, record } from "./record.js";
import { clearRecordings, homeOfRecordings, keep, type Recording, recordings } from "./recording.js";
import { partings } from "./replay-recordings.js";
import { SCENARIOS } from "./scenarios.js";

test.runIf(process.env.LONGHAUL_HISTORIES === "record")("the scenarios are recorded", { timeout: 600_000 }, async () => {
  await scriptedModel();
  const stack = await longhaul();
  const scene = { stack, ask: await served(stack), marks: testFolder() };
  prepare(scene);
  const recorded = await Promise.all(SCENARIOS.map((scenario) => record(scene, scenario)));
  clearRecordings(stack.config.home);
  for (const recording of recorded) keep(recording);
});

describe("recorded runs", () => {
  let all: Recording[];
  let home: string;
  beforeAll(() => {
    all = recordings();
    home = homeOfRecordings(testFolder());
  });

  test("are of every scenario, and have every kind of step and of ending", () => {
    expect(all.map(({ name }) => name)).toEqual(SCENARIOS.map(({ name }) => name).sort());
    const kinds = all.flatMap(({ executions }) => executions.flatMap(({ steps }) => steps.map(({ kind }) => kind)));
    expect(new Set(kinds)).toEqual(new Set(StepKind.options));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(["COMPLETED", "CANCELLED", "FAILED", "RUNNING"]));
    expect(all.some(({ executions }) => executions.length > 1)).toBe(true);
  });

  test("replay with this build, and do the same steps", async () => {
    expect(await partings(ownBuild(), all, home)).toEqual([]);
  });

  test("do not replay with workflow code that goes another way, which is said with run, step and line", async () => {
    const edit = INTERPRETER_EDITS.find(({ name }) => name === "a sleep takes no time");
    const build = buildIn(otherBuild(join(testFolder(), "next"), (code) => edit?.apply(code) ?? code));

    const found = await partings(build, all, home);

    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^every-kind \(run_\w+\): .*\.ts:\d+: .*"sleep"/);
  });
});
