import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CancelledFailure } from "@temporalio/common";
import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Call, Outcome } from "../contract/activity.js";
import type { Json } from "../contract/json.js";
import { builtScript } from "../test/support/built-script.js";
import { testFolder } from "../test/support/stack.js";
import { Journal } from "./journal.js";
import { ownerMark, startOf, thisProcess } from "./process-owner.js";
import { sweep, sweepRun } from "./sweep.js";
import { createUserActivity, type UserActivityDeps, type UserActivityInput } from "./user-activity.js";

const CODE = `
  let calls = 0;
  exports.activities = {
    add: async (a, b) => a + b,
    count: () => ++calls,
    nothing() {},
    pid: () => process.pid,
    age: () => process.uptime(),
    print: () => { console.log("to the log"); console.error("and here"); return process.env.LONGHAUL_STEP_ID + " " + process.env.DATABASE_URL; },
    wait: (ms) => new Promise((done) => setTimeout(done, ms, process.pid)),
    block() { require("node:child_process").spawn("sleep", ["300"], { detached: true, stdio: "ignore" }).unref(); for (;;) {} },
    exit: () => { console.error("no memory left"); process.exit(7); },
    refuse() { class QuotaExceeded extends Error {} throw new QuotaExceeded("come back tomorrow"); },
    huge: () => 10n,
  };
`;
const HASH = hashOf(CODE);
const RUN = `run_user${process.pid}`;
const home = testFolder();

let program: string;
let deps: UserActivityDeps;
let user: ReturnType<typeof createUserActivity>;
let output: string;
const others: string[] = [];

beforeAll(async () => {
  program = await builtScript("activities/user-activity-child.ts");
});

beforeEach(() => {
  output = "";
  deps = {
    home,
    journal: new Journal(join(home, "journal")),
    log: {
      async append(chunks) {
        for (const { text } of chunks) output += text;
      },
    },
    loadCode: async (hash) => [CODE, ...others].find((code) => hashOf(code) === hash) ?? null,
    activityProgram: program,
    graceMs: 300,
  };
  user = createUserActivity(deps);
});

afterEach(async () => {
  await user.stop();
  await deps.journal.stop();
});

afterAll(() => sweepRun(RUN, 0));

describe("a file's own activities", { timeout: 20_000 }, () => {
  test("are called with JSON and answer with JSON", async () => {
    expect((await call("add", [2, 3])).value).toBe(5);
    expect((await call("nothing")).value).toBeNull();
  });

  test("share a process call after call", async () => {
    expect((await call("count")).value).toBe(1);
    expect((await call("count")).value).toBe(2);
  });

  test("run beside each other, each in a process of its own", async () => {
    const began = Date.now();
    const pids = await Promise.all([1, 2, 3].map(async () => (await call("wait", [500])).value));

    expect(new Set(pids).size).toBe(3);
    expect(Date.now() - began).toBeLessThan(1_400);
  });

  test("wait their turn when there are many", async () => {
    deps.maxProcesses = 1;
    const pids = await Promise.all([1, 2, 3].map(async () => (await call("pid")).value));

    expect(new Set(pids).size).toBe(1);
  });

  test("print into the step's log, know their step and none of our secrets", async () => {
    process.env.DATABASE_URL = "postgres://secret";
    const { value } = await call("print");
    delete process.env.DATABASE_URL;

    expect(value).toBe(`${RUN}-1 undefined`);
    expect(output).toContain("to the log\n");
    expect(output).toContain("and here\n");
  });

  test("fail with the error's own name and message", async () => {
    await expect(call("refuse")).rejects.toMatchObject({
      type: "QuotaExceeded",
      message: "come back tomorrow",
      nonRetryable: true,
    });
    await expect(call("huge")).rejects.toMatchObject({ type: "TypeError", message: expect.stringContaining("BigInt") });
    await expect(call("none")).rejects.toMatchObject({ type: "activity_missing" });
  });

  test("fail as crashed when their process ends under them, and the next call finds a new one", async () => {
    const crash = call("exit");

    await expect(crash).rejects.toMatchObject({
      type: "activity_crashed",
      message: expect.stringMatching(/exited with code 7.*: no memory left$/),
    });
    expect((await call("count")).value).toBe(1);
  });

  test("are ended when they take too long, with what they have started; others go on", async () => {
    const other = call("wait", [800]);
    await expect(call("block", [], { timeoutMs: 400 })).rejects.toMatchObject({ type: "timed_out" });

    const pid = (await other).value;
    await user.stop();
    expect(pid).toBeGreaterThan(0);
    expect(await sweepRun(RUN, 0)).toBe(0);
  });

  test("are ended when the step is cancelled", async () => {
    const env = environment();
    const running = call("wait", [60_000], { env });
    setTimeout(() => env.cancel("CANCELLED"), 300);

    await expect(running).rejects.toBeInstanceOf(CancelledFailure);
    expect(await sweepRun(RUN, 0)).toBe(0);
  });

  test("find a process that was started before their first call", async () => {
    const age = async () => {
      others.push(`${CODE} // ${others.length}`);
      return (await call("age", [], { hash: hashOf(others.at(-1) ?? "") })).value;
    };
    await age();

    await expect.poll(age, { interval: 1_000, timeout: 15_000 }).toBeGreaterThan(0.4);
  });

  test("leave nothing when they are stopped, not even the process that waits", async () => {
    await call("count");
    await sleep(600);
    await user.stop();

    expect(await sweep({ LONGHAUL_OWNER: ownerMark(thisProcess()) }, 0)).toBe(0);
  });

  test("leave no idle process behind", async () => {
    deps.idleMs = 50;
    await call("count");
    await sleep(500);

    expect(await sweepRun(RUN, 0)).toBe(0);
  });

  test("get their code from where it is kept, and say when it is nowhere", async () => {
    rmSync(join(home, "code"), { recursive: true });
    expect((await call("add", [1, 1])).value).toBe(2);

    await expect(call("add", [1, 1], { hash: "0".repeat(64) })).rejects.toMatchObject({ type: "activity_missing" });
  });

  test("wait for their code while Postgres, which has it, is away", async () => {
    rmSync(join(home, "code"), { recursive: true, force: true });
    const { loadCode } = deps;
    let asked = 0;
    deps.loadCode = async (hash) => {
      if (++asked === 1) throw Object.assign(new Error("no answer"), { code: "ECONNREFUSED" });
      return loadCode(hash);
    };
    expect((await call("add", [1, 1])).value).toBe(2);
    expect(asked).toBe(2);
  });

  test("end with their worker", async () => {
    await call("count");
    const owner = await builtScript("test/support/activity-owner.ts");
    const worker = spawn(process.execPath, [owner, program, join(home, "code", `${HASH}.cjs`), home, RUN], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = Number(await new Promise((said) => worker.stdout.once("data", said)));
    expect(startOf(pid)).not.toBeNull();
    worker.kill("SIGKILL");
    await sleep(500);

    expect(startOf(pid)).toBeNull();
  });
});

function hashOf(code: string): string {
  return createHash("sha256").update(code).digest("hex");
}

let activity = 0;
function environment(): MockActivityEnvironment {
  return new MockActivityEnvironment({ activityId: String(++activity) }, { logger: new DefaultLogger("ERROR") });
}

interface CallOptions {
  env?: MockActivityEnvironment;
  hash?: string;
  timeoutMs?: number;
}

function call(name: string, args: Json[] = [], options: CallOptions = {}): Promise<Outcome<Json>> {
  const { env = environment(), hash = HASH, ...limits } = options;
  const given: Call<UserActivityInput> = {
    run: { run_id: RUN, project_id: "prj_1", project_path: home, workspace: { mode: "in_place", path: home, base_branch: null } },
    step: { id: `${RUN}-1`, number: 1, key: name, name, phase: null, kind: "activity", iteration: 1 },
    attempt: 1,
    ...limits,
    input: { hash, name, args },
  };
  return env.run(user.userActivity, given);
}
