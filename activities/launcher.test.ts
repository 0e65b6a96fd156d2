import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { builtFile } from "../package-root.js";
import { processesOf } from "../test/faults/traces.js";
import { Launcher } from "./launcher.js";
import type { ChildExit } from "./start-child.js";

const PROGRAM = builtFile("activities/launcher-child.js");
const marks = { LONGHAUL_RUN_ID: `run_launcher${process.pid}` };
const env = { PATH: process.env.PATH ?? "", ...marks };
let folder: string;
let launcher: Launcher;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longhaul-launcher-"));
  launcher = new Launcher(PROGRAM);
});
afterEach(() => {
  launcher.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("a launcher", { timeout: 30_000 }, () => {
  test("starts commands as children of its own, in groups of their own, and tells all of them", async () => {
    const { pid, exit, output } = await done(
      "bash",
      ["-c", 'read -r line; echo "$PPID $line"; ps -o pgid= -p $$; exit 3'],
      "hello\n",
    );

    expect(exit).toEqual({ exitCode: 3, signal: null });
    const [first = "", group] = output.stdout.split("\n");
    expect(first).toMatch(/^\d+ hello$/);
    expect(Number.parseInt(first, 10)).not.toBe(process.pid);
    expect(Number(group)).toBe(pid);
  });

  test("keeps many at once apart", async () => {
    const all = await Promise.all(Array.from({ length: 30 }, (_, i) => done("bash", ["-c", `echo out ${i}; echo err ${i} >&2`])));

    expect(all.map(({ output }) => output)).toEqual(all.map((_, i) => ({ stdout: `out ${i}\n`, stderr: `err ${i}\n` })));
  });

  test("gives large output whole and holds none of it back in its memory", async () => {
    const script =
      "process.stdout.write(Buffer.alloc(1 << 20, 'x'), function more() { if (++n < 300) process.stdout.write(block, more); })";
    const hash = createHash("sha256");
    let size = 0;
    let parent = 0;
    await new Promise<void>((closed, failed) => {
      launcher.start(
        {
          command: "bash",
          args: [
            "-c",
            `echo $PPID >&2; exec ${process.execPath} -e "let n = 0; const block = Buffer.alloc(1 << 20, 'x'); ${script}"`,
          ],
          cwd: folder,
          env,
          marks,
        },
        {
          started() {},
          output(stream, data) {
            if (stream === "stderr") parent = Number(data.toString());
            else {
              hash.update(data);
              size += data.length;
            }
          },
          exit() {},
          closed,
          failed,
        },
      );
    });

    expect(size).toBe(300 << 20);
    expect(hash.digest("hex")).toBe(
      createHash("sha256")
        .update(Buffer.alloc(300 << 20, "x"))
        .digest("hex"),
    );
    expect(await memoryOf(parent)).toBeLessThan(200);
  });

  test("runs git, says when the folder is not there, and ends a command that is given up", async () => {
    expect(await launcher.git({ path: folder, environment: env, args: ["init", "--quiet"] })).toEqual({
      output: "",
      problem: "",
    });
    expect(await launcher.git({ path: folder, environment: env, args: ["rev-parse", "HEAD"] })).toMatchObject({ output: null });
    expect(await launcher.git({ path: join(folder, "none"), environment: env, args: ["status"] })).toBeNull();

    const nap = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "alias.nap", GIT_CONFIG_VALUE_0: "!sleep 60" };
    const stop = new AbortController();
    const napping = launcher.git({ path: folder, environment: { ...env, ...nap }, args: ["nap"] }, stop.signal);
    setTimeout(() => stop.abort(), 300);
    expect(await napping).toMatchObject({ output: null });
  });

  test("that is killed loses what is under way, and the next command has a new one", async () => {
    const lost = start("bash", ["-c", "echo $PPID; sleep 60 & wait"]);
    const loses = expect(lost.closed).rejects.toThrow("was killed");
    const first = Number(await lost.said);
    const git = launcher.git({ path: folder, environment: env, args: ["init", "--quiet"] }).catch((error) => error);
    process.kill(first, "SIGKILL");

    await loses;
    process.kill(-(await lost.pid), "SIGKILL");
    expect([{ output: "", problem: "" }, expect.objectContaining({ name: "Interrupted" })]).toContainEqual(await git);
    const { output } = await done("bash", ["-c", "echo $PPID"]);
    expect(Number(output.stdout)).not.toBe(first);
  });

  test("says what could not be started", async () => {
    await expect(done(join(folder, "none"), [])).rejects.toMatchObject({ code: "ENOENT" });
    await expect(done("echo", ["a\0b"])).rejects.toThrow("null bytes");
  });

  describe("whose process is killed", () => {
    const file = () => readFileSync(join(folder, "told"), "utf8");
    const told = (text: string) => vi.waitFor(() => expect(file()).toBe(text), { timeout: 20_000, interval: 10 });

    test("ends with it, and so does what is under way, before it acts", async () => {
      const worker = await startWorker(`launcher.start(command("echo $PPID > told; sleep 1; echo acted >> told"), events);`);
      await vi.waitFor(() => expect(file()).toMatch(/^\d+\n$/), { timeout: 20_000 });
      const pid = Number(file());
      worker.kill("SIGKILL");

      await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"), { timeout: 20_000 });
      await sleep(1_500);
      expect(file()).toBe(`${pid}\n`);
    });

    test("asks first, once, and with it what has left the group", async () => {
      const stranger = `setsid bash -c 'trap "echo stranger >> told; exit" TERM; echo up > told; while :; do sleep 0.05; done' & `;
      const worker = await startWorker(
        `launcher.start(command(${JSON.stringify(stranger)} + 'trap "echo asked >> told" TERM; while :; do sleep 0.05; done'), events);`,
      );
      await told("up\n");
      worker.kill("SIGKILL");

      await vi.waitFor(() => expect(file().split("\n").sort()).toEqual(["", "asked", "stranger", "up"]), { timeout: 20_000 });
      await vi.waitFor(() => expect(processesOf([marks.LONGHAUL_RUN_ID])).toEqual([]), { timeout: 20_000 });
      expect(file().split("\n").sort()).toEqual(["", "asked", "stranger", "up"]);
    });

    test("ends a command of git, which leaves no lock behind", async () => {
      await launcher.git({ path: folder, environment: env, args: ["init", "--quiet"] });
      writeFileSync(join(folder, "large"), Buffer.alloc(200 << 20, "x"));
      const worker = await startWorker(
        `void launcher.git({ path: ${JSON.stringify(folder)}, environment: ${JSON.stringify(env)}, args: ["add", "large"] });`,
      );
      await vi.waitFor(() => expect(existsSync(join(folder, ".git/index.lock"))).toBe(true), { timeout: 20_000, interval: 5 });
      worker.kill("SIGKILL");

      await vi.waitFor(() => expect(existsSync(join(folder, ".git/index.lock"))).toBe(false), { timeout: 20_000, interval: 5 });
      expect((await launcher.git({ path: folder, environment: env, args: ["ls-files"] }))?.output).toBe("");
    });

    test("ends what it is told to guard, and leaves alone what it was let go of", async () => {
      const worker = await startWorker(
        `const { spawn } = await import("node:child_process");
         await new Promise((closed) => launcher.start(command("true"), { ...events, closed })); // it has begun
         const letGo = [1, 2].map(() => {
           const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore", env: ${JSON.stringify(env)} });
           return [child.pid, launcher.guard({ leader: child.pid, marks: { LONGHAUL_RUN_ID: "of none" } })];
         });
         letGo[1][1]();
         process.send(letGo.map(([pid]) => pid));`,
      );
      const [[guarded, free]] = (await once(worker, "message")) as [[number, number]];
      worker.kill("SIGKILL");

      await vi.waitFor(() => expect(() => process.kill(guarded, 0)).toThrow("ESRCH"), { timeout: 20_000 });
      await sleep(200);
      expect(process.kill(free, 0)).toBe(true);
      process.kill(free, "SIGKILL");
    });
  });
});

/** A process that has a launcher, as a worker has; `command` and `events` are there for its script. */
async function startWorker(script: string): Promise<ChildProcess> {
  const file = join(folder, "worker.mjs");
  const details = JSON.stringify({ cwd: folder, env, marks });
  writeFileSync(
    file,
    `import { Launcher } from ${JSON.stringify(builtFile("activities/launcher.js"))};
     const launcher = new Launcher(${JSON.stringify(PROGRAM)});
     const command = (text) => ({ command: "bash", args: ["-c", text], ...${details} });
     const events = { started() {}, output() {}, exit() {}, closed() {}, failed() {} };
     setInterval(() => {}, 1000);
     ${script}`,
  );
  return fork(file);
}

/** A command under way: its pid, the first it says, and the end of its output with its exit. */
function start(command: string, args: string[], input?: string) {
  const output = { stdout: "", stderr: "" };
  let exit: ChildExit | undefined;
  let tellPid = (_: number) => {};
  let tellSaid = (_: string) => {};
  const pid = new Promise<number>((resolve) => {
    tellPid = resolve;
  });
  const said = new Promise<string>((resolve) => {
    tellSaid = resolve;
  });
  const closed = new Promise<void>((resolve, reject) => {
    launcher.start(
      { command, args, cwd: folder, env, marks, input },
      {
        started: tellPid,
        output(stream, data) {
          output[stream] += data.toString();
          tellSaid(output[stream]);
        },
        exit(told) {
          exit = told;
        },
        closed: resolve,
        failed: reject,
      },
    );
  });
  return { pid, said, closed, output, exit: () => exit };
}

async function done(command: string, args: string[], input?: string) {
  const child = start(command, args, input);
  await child.closed;
  return { pid: await child.pid, exit: child.exit(), output: child.output };
}

/** Megabytes in memory at most so far. */
async function memoryOf(pid: number): Promise<number> {
  if (process.platform !== "linux") return 0;
  const { readFile } = await import("node:fs/promises");
  const [, kilobytes = ""] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}
