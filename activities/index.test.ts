import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NotFoundError } from "../contract/errors.js";
import type { Fact } from "../contract/fact.js";
import { UNVERIFIED } from "../contract/messages.js";
import { testFolder } from "../test/support/stack.js";
import { type ActivityDeps, createActivities } from "./index.js";
import { Journal } from "./journal.js";
import { startOf } from "./process-owner.js";

const RUN = `run_gate${process.pid}`;
let deps: ActivityDeps;
let gates: Fact[];
let made: ReturnType<typeof createActivities>;

beforeEach(() => {
  const home = testFolder();
  gates = [];
  deps = {
    home,
    journal: new Journal(join(home, "journal")),
    log: { async append() {} },
    graceMs: 200,
    githubApiUrl: "http://127.0.0.1:1",
    loadCode: async () => null,
    findWorkflow: async (name) => Promise.reject(new NotFoundError("workflow", name)),
    checkInput: async (_, input) => ({ ok: true, input }),
    tellEarlier: async () => {},
    openChildren: async () => [],
    readResumption: async () => ({ order: [], numbers: 0, comments: 0, labels: 0, began: 0 }),
    readSeed: async () => ({ steps: [], next: null }),
    readDone: async () => [],
    closeGate: async (final) => void gates.push(final),
  };
  made = createActivities(deps);
});

afterEach(() => made.stop());

describe("activities", () => {
  test("are not done for anyone but Longhaul", async () => {
    for (const forged of [undefined, null, { [UNVERIFIED]: true }]) {
      for (const [name, activity] of Object.entries(made.activities)) {
        const asked = environment().run(activity as (input: unknown) => Promise<unknown>, forged);
        await expect(asked, name).rejects.toMatchObject({ type: "unverified", nonRetryable: true });
      }
    }
    expect(gates).toEqual([]);
    expect(existsSync(join(deps.home, "journal"))).toBe(false);
  });

  test("the close gate opens when nothing of the run is left running", async () => {
    const env = { ...process.env, LONGHAUL_RUN_ID: RUN };
    const { pid = 0 } = spawn("sleep", ["300"], { env, stdio: "ignore", detached: true });
    const final = { type: "run.phase", phase: "end", run_id: RUN, execution: "e", seq: 1, at: "" } as Fact;
    deps.closeGate = async (told) => {
      gates.push(told);
      expect(startOf(pid)).toBeNull();
    };
    await made.stop();
    made = createActivities(deps);

    await environment().run(made.activities.closeGate, { run: { run_id: RUN, project_path: deps.home }, final });

    expect(gates).toEqual([final]);
  });
});

function environment(): MockActivityEnvironment {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger("ERROR") });
}
