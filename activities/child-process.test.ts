import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtFile } from "../package-root.js";
import { runChild } from "./child-process.js";
import { childEnvironment } from "./environment.js";
import { launchFrom } from "./launcher.js";
import type { Marks } from "./marks.js";
import { processTable } from "./process-table.js";
import { sweepRun } from "./sweep.js";

describe.each(["child", "launcher's child"])("a process that is our %s", { timeout: 20_000 }, (whose) => {
  let launcher: { stop(): void } | undefined;
  beforeAll(() => {
    if (whose !== "child") launcher = launchFrom(builtFile("activities/launcher-child.js"));
  });
  afterAll(() => launcher?.stop());

  test("ends with its exit, though something it left holds the pipe", async () => {
    const marks = mark();
    const began = Date.now();

    expect(await bash("(sleep 60 &) ; echo done; exit 3", marks)).toMatchObject({ exitCode: 3, output: "done\n" });
    expect(Date.now() - began).toBeLessThan(3000);
    expect(await sweepRun(marks.LONGHAUL_RUN_ID)).toBe(1);
  });

  test("is no login: bash reads no file of the user's", async () => {
    const home = mkdtempSync(join(tmpdir(), "longhaul-child-"));
    writeFileSync(join(home, ".bashrc"), "echo from the file\n");
    try {
      expect(await bash("echo from the command", mark(), undefined, { PATH: process.env.PATH ?? "", HOME: home })).toMatchObject({
        output: "from the command\n",
      });
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  test("tells what killed it", async () => {
    expect(await bash("kill -9 $$", mark())).toMatchObject({ exitCode: null, signal: "SIGKILL" });
  });

  test("leaves nothing when it is cancelled, not even a daemon that ignores signals", async () => {
    const marks = mark();
    const stop = new AbortController();
    const running = bash(
      `trap '' TERM; setsid bash -c "trap '' TERM; sleep 71 & setsid sleep 72 & sleep 73" & echo up; sleep 74`,
      marks,
      stop,
    );
    const stopped = expect(running).rejects.toThrow("enough");
    await waitFor(async () => (await livingOf(marks)) >= 5);
    const began = Date.now();
    stop.abort(new Error("enough"));

    await stopped;
    expect(Date.now() - began).toBeLessThan(6_000);
    expect(await livingOf(marks)).toBe(0);
  });

  test("says which program could not be started", async () => {
    const options = { cwd: tmpdir(), env: {}, marks: mark(), signal: new AbortController().signal };

    await expect(runChild(join(tmpdir(), "no-such-program"), [], options)).rejects.toThrow("ENOENT");
  });

  test("a sweep of one run leaves other runs alone", async () => {
    const [ours, theirs] = [mark(), mark()];
    await bash("(sleep 60 >/dev/null 2>&1 &)", ours);
    await bash("(sleep 60 >/dev/null 2>&1 &)", theirs);

    expect(await sweepRun(ours.LONGHAUL_RUN_ID)).toBe(1);
    expect(await livingOf(theirs)).toBe(1);
    await sweepRun(theirs.LONGHAUL_RUN_ID);
  });
});

test("a process is not given our secrets, and cannot hide whose it is", () => {
  const base = {
    PATH: "/bin",
    NO_PROXY: "x",
    LONGHAUL_TOKEN: "t",
    DATABASE_URL: "d",
    TEMPORAL_API_KEY: "k",
    GITHUB_TOKEN: "g",
  };

  expect(childEnvironment({ LONGHAUL_RUN_ID: "run_1" }, { A: "1", LONGHAUL_RUN_ID: "other" }, base)).toEqual({
    PATH: "/bin",
    NO_PROXY: "x",
    A: "1",
    LONGHAUL_RUN_ID: "run_1",
  });
});

let count = 0;
function mark(): Marks {
  return { LONGHAUL_RUN_ID: `run_child${process.pid}x${++count}` };
}

async function bash(script: string, marks: Marks, stop = new AbortController(), base = process.env) {
  let output = "";
  const exit = await runChild("bash", ["-c", script], {
    cwd: tmpdir(),
    env: childEnvironment(marks, {}, base),
    marks,
    signal: stop.signal,
    graceMs: 500,
    onOutput: (_stream, data) => {
      output += data.toString();
    },
  });
  return { ...exit, output };
}

async function livingOf(marks: Marks): Promise<number> {
  const table = await processTable();
  return table.filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`LONGHAUL_RUN_ID=${marks.LONGHAUL_RUN_ID}\0`);
    } catch {
      return false;
    }
  }).length;
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}
