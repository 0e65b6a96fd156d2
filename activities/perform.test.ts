import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ActivityCancellationDetails } from "@temporalio/common";
import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Call, Outcome } from "../contract/activity.js";
import type { LogChunk } from "../contract/log.js";
import { DEFAULT_SETTINGS } from "../contract/project-settings.js";
import { runFolder } from "../db/run-folder.js";
import { runChild } from "./child-process.js";
import { childEnvironment } from "./environment.js";
import { StepFailure } from "./failure.js";
import { Journal } from "./journal.js";
import { look } from "./look.js";
import { sharesTree } from "./operations.js";
import { type PerformDeps, perform, type Work } from "./perform.js";
import { processTable } from "./process-table.js";
import { SecretMask } from "./secret-mask.js";
import { sweepRun } from "./sweep.js";

let root: string;
let deps: PerformDeps;
let done: number;
const RUN = `run_perform${process.pid}`;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "longhaul-perform-")));
  deps = {
    journal: new Journal(join(root, "journal")),
    log: { async append() {} },
    heartbeatMs: 20,
    graceMs: 300,
    orphanMs: 300,
  };
  done = 0;
});

afterEach(async () => {
  await deps.journal.stop();
  rmSync(root, { recursive: true, force: true });
});

const act = async () => ++done;

describe("perform", { timeout: 20_000 }, () => {
  test("does nothing twice: a later attempt gets the first one's outcome", async () => {
    const first = await attempt(1, act);
    const second = await attempt(2, act);

    expect(second).toEqual(first);
    expect(done).toBe(1);
  });

  test("fails what does not fit the step's output schema, and keeps it", async () => {
    const schema = { type: "object", required: ["verdict"], properties: { score: { type: "number" } } };

    await expect(attempt(1, async () => ({ score: "high" }), { output_schema: schema })).rejects.toMatchObject({
      type: "output_invalid",
      message: expect.stringMatching(/output\.verdict is missing.*output\.score must be number|output\.score .*output\.verdict/),
      details: [{ output: { score: "high" } }],
    });
  });

  test("gives a recorded failure back as it was thrown", async () => {
    const fails = async () => {
      done++;
      throw new TypeError("no such thing");
    };
    const expected = { type: "TypeError", message: "no such thing", nonRetryable: true };

    await expect(attempt(1, fails)).rejects.toMatchObject(expected);
    await expect(attempt(2, fails)).rejects.toMatchObject(expected);
    expect(done).toBe(1);
  });

  test("counts a lost attempt, ends what it left running, and acts again", async () => {
    await lose((work) => background(work, "sleep 91"));
    expect(await living()).toBe(1);

    const { value, lost } = await attempt(2, async (work) => [await living(), work.attempt]);

    expect(value).toEqual([0, 2]);
    expect(lost).toHaveLength(1);
  });

  test("counts attempts that Temporal gave out and the journal of this host does not know", async () => {
    const { value, lost } = await attempt(3, async (work) => work.attempt);

    expect(value).toBe(3);
    expect(lost).toHaveLength(2);
  });

  test("does not act again when the step says so, and says that the outcome is unknown", async () => {
    await lose(act);

    await expect(attempt(2, act, { noRetry: true })).rejects.toMatchObject({
      type: "outcome_unknown",
      details: [{ lost: [{}] }],
    });
    expect(done).toBe(1);
  });

  test("goes on when the server has lost sight of it, and the next attempt joins", async () => {
    const env = environment(1);
    const first = run(env, async (work) => {
      await sleep(200, undefined, { signal: work.signal });
      return ++done;
    });
    await sleep(50);
    env.cancel("NOT_FOUND", new ActivityCancellationDetails({ notFound: true }));

    expect((await attempt(2, act)).value).toBe(1);
    expect((await first).lost).toEqual([]);
    expect(await attempt(3, act)).toMatchObject({ value: 1, lost: [] });
  });

  test("ends when nobody joins", async () => {
    const env = environment(1);
    const running = run(env, (work) => sleep(60_000, undefined, { signal: work.signal }));
    env.cancel("NOT_FOUND", new ActivityCancellationDetails({ notFound: true }));

    await expect(running).rejects.toMatchObject({ type: "worker_lost" });
  });

  test("leaves a step that its worker gives up to the next one", async () => {
    const env = environment(1);
    const running = run(env, (work) => sleep(60_000, undefined, { signal: work.signal }));
    env.cancel("WORKER_SHUTDOWN", new ActivityCancellationDetails({ workerShutdown: true }));

    await expect(running).rejects.toMatchObject({ type: "worker_lost", nonRetryable: false });
    expect((await attempt(2, act)).lost).toHaveLength(1);
  });

  test("does not wait for work that heeds no signal", async () => {
    const running = attempt(1, () => new Promise(() => {}), { timeoutMs: 50 });

    await expect(running).rejects.toMatchObject({ type: "timed_out" });
  }, 15_000);

  test("beats while it works, and tells what it is told", async () => {
    const env = environment(1);
    const beats: unknown[] = [];
    env.on("heartbeat", (beat) => beats.push(beat));
    await run(env, async (work) => {
      work.tell({ pid: 7 });
      await sleep(100);
    });

    expect(beats.length).toBeGreaterThan(2);
    expect(beats.at(-1)).toEqual({ pid: 7 });
  });

  test("records an outcome once its output is in its file", async () => {
    const order: string[] = [];
    deps.log = {
      async append(chunks) {
        await sleep(100);
        order.push(...chunks.map(({ text }) => text));
      },
    };
    const { close } = deps.journal;
    deps.journal.close = function (...args) {
      order.push("recorded");
      return close.apply(this, args);
    };
    await attempt(1, async ({ log }) => log.write("stdout", "said"));

    expect(order).toEqual(["said", "recorded"]);
  });

  test("puts a large value into an artifact", async () => {
    const text = "ü".repeat(50_000);
    const { value, artifacts } = await attempt(1, async () => text);

    expect(value).toMatchObject({ $artifact: artifacts?.[0]?.id, size_bytes: 100_000, head: "ü".repeat(2000) });
    const name = artifacts?.[0]?.name;
    expect(readFileSync(join(runFolder(root, RUN), "artifacts", `1-${name}`), "utf8")).toBe(text);
  });

  describe("hides the installation's and the project's secrets", () => {
    const chunks: LogChunk[] = [];
    beforeEach(() => {
      chunks.length = 0;
      deps.mask = new SecretMask(["hunter2"]);
      deps.log = { append: async (more) => void chunks.push(...more) };
      const access = { settings: DEFAULT_SETTINGS, secrets: new Map([["PIN", "text"]]), unreadable: new Map() };
      deps.access = async () => ({ ...access, mask: new SecretMask(["text", "swordfish"]) });
    });

    test("in the value", async () => {
      expect((await attempt(1, async () => ({ deep: ["a hunter2", { swordfish: 1 }] }))).value).toEqual({
        deep: ["a ***", { "***": 1 }],
      });
    });

    test("in a value that becomes an artifact", async () => {
      const large = await attempt(1, async () => "a swordfish ".repeat(20_000));
      const name = large.artifacts?.[0]?.name;
      expect(readFileSync(join(runFolder(root, RUN), "artifacts", `1-${name}`), "utf8")).toBe("a *** ".repeat(20_000));
    });

    test("in the failure and its output", async () => {
      const fails = () => Promise.reject(new StepFailure("odd_failed", "It said hunter2.", { stderr: "swordfish" }));

      await expect(attempt(1, fails)).rejects.toMatchObject({
        message: "It said ***.",
        details: [{ output: { stderr: "***" } }],
      });
    });

    test("in the log, across the borders of its pieces", async () => {
      await attempt(1, async (work) => {
        work.log.write("stdout", "a sword");
        work.log.flush();
        work.log.write("stdout", Buffer.from("fish\n"));
      });

      expect(chunks.map(({ text }) => text).join("")).toBe("a ***\n");
    });

    test("in calls of tools, and leaves ids and paths as they are where a short secret stands in them", async () => {
      const call = { run_id: "r", step_id: "s", agent_session_id: null, tool: "t", is_error: false, at: "now" };
      const { tool_calls } = await attempt(1, async (work) => {
        work.left.tool_calls = [{ ...call, id: "text-1", input: { text: "some text" }, output: "swordfish" }];
      });

      expect(tool_calls).toEqual([{ ...call, id: "text-1", input: { text: "some ***" }, output: "***" }]);
    });

    test("in what is only looked at", async () => {
      const env = environment(1);
      const { value } = (await env.run(look, deps, call(), async () => "a swordfish")) as Outcome<string>;

      expect(value).toBe("a ***");
    });
  });

  test("begins nothing when a secret lacks that the step names", async () => {
    await expect(attempt(1, async () => done++, { secrets: ["NPM_TOKEN"] })).rejects.toMatchObject({
      type: "secret_missing",
    });
    expect(done).toBe(0);
  });

  test("knows whether other steps of the run were at work meanwhile", async () => {
    const shares = (number: number, ms: number) => {
      const mine = { ...call(), step: { ...call().step, id: `${RUN}-${number}`, number } };
      const env = new MockActivityEnvironment({ activityId: String(100 + number) });
      return env.run(perform<boolean>, deps, "it", mine, {}, async () => {
        await sleep(ms);
        return sharesTree(deps.journal, mine);
      }) as Promise<Outcome<boolean>>;
    };

    expect((await shares(1, 0)).value).toBe(false);
    const both = await Promise.all([shares(2, 10), shares(3, 80)]);
    expect(both.map(({ value }) => value)).toEqual([true, true]);
  });

  test("reports what was left also when the work fails", async () => {
    const fails = async (work: Work) => {
      work.left.sessions = [];
      throw new Error("no");
    };

    await expect(attempt(1, fails)).rejects.toMatchObject({ details: [{ sessions: [], lost: [] }] });
  });
});

/** An attempt whose worker dies: nothing is recorded, and what it started lives on. */
async function lose(work: (work: Work) => Promise<unknown>): Promise<void> {
  const env = environment(1);
  const dying = { ...deps, journal: new Journal(join(root, "journal")) };
  let began: () => void = () => {};
  const acting = new Promise<void>((resolve) => {
    began = resolve;
  });
  void env.run(() =>
    perform(dying, "it", call(), {}, async (given) => {
      await work(given);
      began();
      return new Promise(() => {});
    }),
  );
  await acting;
}

async function background(work: Work, command: string): Promise<void> {
  const { signal, marks } = work;
  await runChild("bash", ["-c", `${command} >/dev/null 2>&1 &`], { cwd: root, env: childEnvironment(marks), marks, signal });
}

async function living(): Promise<number> {
  return (await processTable()).filter(({ environment: set }) => set.includes(`LONGHAUL_RUN_ID=${RUN}\0`)).length;
}

function call(limits: Partial<Call<unknown>> = {}): Call<unknown> {
  return {
    run: { run_id: RUN, project_id: "prj_1", project_path: root, workspace: { mode: "in_place", path: root, base_branch: null } },
    step: { id: `${RUN}-1`, number: 1, key: "act", name: "act", phase: null, kind: "shell", iteration: 1 },
    attempt: 1,
    ...limits,
    input: {},
  };
}

function environment(attempt: number): MockActivityEnvironment {
  return new MockActivityEnvironment({ activityId: "5", attempt }, { logger: new DefaultLogger("ERROR") });
}

function run<Value>(
  env: MockActivityEnvironment,
  work: (work: Work) => Promise<Value>,
  limits: Partial<Call<unknown>> = {},
): Promise<Outcome<Value>> {
  return env.run(perform<Value>, deps, "it", call(limits), {}, work);
}

function attempt<Value>(number: number, work: (work: Work) => Promise<Value>, limits: Partial<Call<unknown>> = {}) {
  return run(environment(number), work, limits);
}

afterEach(() => sweepRun(RUN, 0));
