import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CancelledFailure } from "@temporalio/common";
import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Call, Outcome } from "../contract/activity.js";
import type { LogChunk } from "../contract/log.js";
import { DEFAULT_SETTINGS } from "../contract/project-settings.js";
import { Journal } from "./journal.js";
import { SecretMask } from "./secret-mask.js";
import { type ShellInput, type ShellOutput, shell } from "./shell.js";
import { sweepRun } from "./sweep.js";
import type { TreeDeps } from "./tree-step.js";

let root: string;
let tree: string;
let chunks: LogChunk[];
let deps: TreeDeps;
const RUN = `run_shell${process.pid}`;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "longhaul-shell-")));
  tree = join(root, "tree");
  mkdirSync(tree);
  chunks = [];
  deps = {
    journal: new Journal(join(root, "journal")),
    log: { append: async (more) => void chunks.push(...more) },
    graceMs: 500,
  };
});

afterEach(async () => {
  await deps.journal.stop();
  rmSync(root, { recursive: true, force: true });
});

describe("shell", { timeout: 60_000 }, () => {
  test("returns what the command printed", async () => {
    const { value, lost, started_at, completed_at } = await run("echo built; echo careful >&2");

    expect(value).toEqual({ exitCode: 0, stdout: "built\n", stderr: "careful\n" });
    expect(lost).toEqual([]);
    expect(started_at <= completed_at).toBe(true);
  });

  test("fails the step when the command fails, and says why", async () => {
    await expect(run("echo no such target >&2; exit 3")).rejects.toMatchObject({
      type: "shell_failed",
      nonRetryable: true,
      message: "The command exited with code 3: no such target",
      details: [{ lost: [], output: { exitCode: 3, stdout: "", stderr: "no such target\n" } }],
    });
  });

  test("returns the exit code when failing is allowed", async () => {
    expect((await run("exit 3", { allowFailure: true })).value.exitCode).toBe(3);
  });

  test.each([
    ["kill -9 $$", "The command was killed by SIGKILL (out of memory?)."],
    ["bash -c 'kill -9 $$'; exit $?", /exited with code 137 \(out of memory\?\)/],
    ["kill -TERM $$", "The command was killed by SIGTERM."],
  ])("names what killed it: %s", async (command, message) => {
    await expect(run(command)).rejects.toThrow(message);
  });

  test("tells the command its run, step and attempt, and none of our secrets", async () => {
    process.env.DATABASE_URL = "postgres://secret";
    const { value } = await run("echo $LONGHAUL_RUN_ID $LONGHAUL_STEP_ID $LONGHAUL_ATTEMPT $DATABASE_URL $WORD", {
      env: { WORD: "a b" },
    });
    delete process.env.DATABASE_URL;

    expect(value.stdout).toBe(`${RUN} ${RUN}-1 1 a b\n`);
  });

  test("gives the command of the worker's environment what is on a list and what the project allows, and the step's secrets", async () => {
    Object.assign(process.env, { NOT_LISTED: "n", JAVA_HOME: "/java", TZ: "UTC" });
    const settings = { ...DEFAULT_SETTINGS, env_allow: ["JAVA_HOME"] };
    const secrets = new Map([["TOKEN", "12345678"], ["OTHER", "87654321"]]); // biome-ignore format: one line is clearer
    deps.access = async () => ({ settings, secrets, unreadable: new Map(), mask: new SecretMask(secrets.values()) });
    const command = `echo $NOT_LISTED $JAVA_HOME $TZ $OTHER \${#TOKEN} $TOKEN \${PATH:+path}`;
    const { value } = await run(command, { env: { WORD: "a" } }, { secrets: ["TOKEN"] });
    for (const name of ["NOT_LISTED", "JAVA_HOME", "TZ"]) delete process.env[name];

    expect(value.stdout).toBe("/java UTC 8 *** path\n");
  });

  test("works in the run's tree and nowhere else", async () => {
    mkdirSync(join(tree, "sub"));
    symlinkSync("/etc", join(tree, "out"));

    expect((await run("pwd", { cwd: "sub" })).value.stdout).toBe(`${join(tree, "sub")}\n`);
    for (const cwd of ["..", "/", "out"]) await expect(run("pwd", { cwd })).rejects.toMatchObject({ type: "invalid_path" });
    rmSync(tree, { recursive: true });
    await expect(run("pwd")).rejects.toMatchObject({ type: "workspace_missing" });
  });

  test("keeps head and tail of long output, and says how much is left out", async () => {
    const { value } = await run("seq 1 1000000");

    expect(value.stdout.length).toBeLessThanOrEqual(16_000);
    expect(value.stdout).toMatch(/^1\n2\n.*\n… 6,8\d\d,\d{3} bytes left out …\n.*\n1000000\n$/s);
    expect(chunks.map(({ text }) => text).join("").length).toBeLessThan(800_000);
  });

  test("keeps the worker small when a command prints a gigabyte without a newline", async () => {
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
    const { value } = await run("head -c 1G /dev/zero | tr '\\0' x");
    clearInterval(watch);

    expect(value.stdout).toContain("bytes left out");
    expect(most).toBeLessThan(300 * 1024 * 1024);
  });

  test("puts characters together that arrive in pieces", async () => {
    const { value } = await run("printf '\\xe2\\x82'; sleep 0.2; printf '\\xac \\xff'");

    expect(value.stdout).toBe("€ \uFFFD");
    expect(chunks.map(({ text }) => text).join("")).toBe("€ \uFFFD");
  });

  test("counts the offsets of its pieces", async () => {
    await run("echo a; sleep 0.2; echo bc; sleep 0.2; echo d >&2", {}, { step: 2 });

    expect(chunks.map(({ offset, text, stream }) => [offset, text, stream])).toEqual([
      [0, "a\n", "stdout"],
      [2, "bc\n", "stdout"],
      [5, "d\n", "stderr"],
    ]);
  });

  test("ends a command that takes too long, or is silent too long, and keeps what it said", async () => {
    // Starting bash counts, too, and takes a while on a machine that is busy.
    await expect(run("echo begun; sleep 60", {}, { timeoutMs: 2_000 })).rejects.toMatchObject({
      type: "timed_out",
      message: "The step took longer than 2 s.",
      details: [{ output: { stdout: "begun\n" } }],
    });
    await expect(run("while true; do sleep 1; done", {}, { idleTimeoutMs: 300 })).rejects.toMatchObject({
      type: "idle_timed_out",
    });
    await run("for i in 1 2 3 4 5 6; do echo $i; sleep 0.4; done", {}, { idleTimeoutMs: 2_000 });
  });

  test("is cancelled only when nothing of it is left", async () => {
    const env = environment();
    const running = run("trap '' TERM; setsid bash -c \"trap '' TERM; sleep 81 & sleep 82\" & echo up; sleep 83", {}, { env });
    const failed = running.catch((error: unknown) => error);
    while (!chunks.some(({ text }) => text.includes("up"))) await sleep(20);
    env.cancel("CANCELLED");

    const error = await failed;
    expect(error).toBeInstanceOf(CancelledFailure);
    expect(error).toMatchObject({ details: [{ output: { stdout: "up\n" } }] });
    expect(await sweepRun(RUN)).toBe(0);
  });

  test("leaves what it started in the background alone when it succeeds, and ends it when it fails", async () => {
    await run("sleep 60 >/dev/null 2>&1 &");
    expect(await sweepRun(RUN)).toBe(1);

    await expect(run("sleep 60 >/dev/null 2>&1 & exit 1")).rejects.toThrow();
    expect(await sweepRun(RUN)).toBe(0);
  });

  test("looks at the tree it leaves", async () => {
    deps.snapshotTree = async () => ({ commit: "c", tree: "t", shared: false });

    expect((await run("true")).tree).toEqual({ commit: "c", tree: "t", shared: false });
  });

  test("is done though its tree cannot be kept, and its log says so", async () => {
    deps.snapshotTree = async () => Promise.reject(new Error("no space left"));

    expect((await run("true")).tree).toBeUndefined();
    expect(chunks).toMatchObject([{ stream: "log", level: "warn", text: expect.stringContaining("no space left") }]);
  });

  test("makes a tree that has gone anew when it is tried again", async () => {
    rmSync(tree, { recursive: true });
    deps.openTree = async () => mkdirSync(tree);

    await expect(run("true")).rejects.toMatchObject({ type: "workspace_missing" });
    expect((await run("echo again", {}, { attempt: 2 })).value.stdout).toBe("again\n");
  });

  test.each([
    ["succeeds", "echo said; rm -r $PWD", ""],
    ["fails", "echo said; rm -r $PWD; echo no such file >&2; exit 2", " The command exited with code 2: no such file"],
  ])("fails as the tree is removed under it, be it that it %s, and keeps what it said", async (_, command, why) => {
    await expect(run(command)).rejects.toMatchObject({
      type: "workspace_missing",
      message: `The run's folder ${tree} was removed while the step was at work in it, and what it did there with it.${why}`,
      details: [{ output: { stdout: "said\n" } }],
    });
  });
});

let activity = 0;
const environment = () => new MockActivityEnvironment({ activityId: String(++activity) }, { logger: new DefaultLogger("ERROR") });

interface RunOptions {
  env?: MockActivityEnvironment;
  step?: number;
  attempt?: number;
  timeoutMs?: number;
  idleTimeoutMs?: number;
  secrets?: string[];
}

function run(command: string, more: Partial<ShellInput> = {}, options: RunOptions = {}): Promise<Outcome<ShellOutput>> {
  const { env = environment(), step: number = 1, ...limits } = options;
  const call: Call<ShellInput> = {
    run: { run_id: RUN, project_id: "prj_1", project_path: root, workspace: { mode: "in_place", path: tree, base_branch: null } },
    step: { id: `${RUN}-${number}`, number, key: "build", name: "build", phase: null, kind: "shell", iteration: 1 },
    attempt: 1,
    ...limits,
    input: { command, ...more },
  };
  return env.run(shell, deps, call);
}
