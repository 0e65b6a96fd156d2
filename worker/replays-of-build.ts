import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { isAbsolute, join } from "node:path";
import proto from "@temporalio/proto";
import { z } from "zod";
import { InvalidError } from "../contract/errors.js";
import { packageRoot } from "../package-root.js";
import type { BatchAnswer, BatchRequest } from "./replay-batch.js";
import type { History } from "./replayer.js";
import { type Replayed, replayedOf } from "./told-steps.js";

/** A replay is a matter of milliseconds, on a busy machine of seconds; one that takes this long runs user code that does not end. */
const TIME_LIMIT_MS = 180_000;

/** Checks get what live work leaves of the processors. */
const NICE = 5;

/** What a build needs that is to replay, below its folder. */
const PROGRAM = "dist/worker/replay-main.js";
const NEEDED = [PROGRAM, "dist/programs/replay.cjs", "dist/workflow-host.cjs"];

/** A built Longhaul: this one, or another that is to take its place. */
export interface Build {
  /** Absolute. */
  folder: string;
  version: string;
}

export interface RecordedRun {
  runId: string;
  history: History;
}

/** @throws {InvalidError} when there is no built Longhaul in the folder; says what is missing. */
export function buildIn(folder: string): Build {
  const refuse = (message: string): never => {
    throw new InvalidError(`build ${message}`, [{ path: "build", message }]);
  };
  if (!isAbsolute(folder)) refuse("is the folder of a Longhaul on the server's machine, absolute.");
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) refuse(`has no package.json: ${folder} is no Longhaul. Name the folder it is installed in.`);
  const said = z.object({ name: z.literal("longhaul"), version: z.string() }).safeParse(contentOf(manifest));
  if (!said.success) return refuse(`is no Longhaul: ${manifest} says another name.`);
  const missing = NEEDED.find((file) => !existsSync(join(folder, file)));
  if (missing !== undefined) refuse(`is not built: ${join(folder, missing)} is missing. Run \`npm run build\` there.`);
  return { folder, version: said.data.version };
}

/** The Longhaul that this process is of. */
export function ownBuild(): Build {
  return buildIn(packageRoot);
}

/**
 * Replay runs with a build, by its own program: its interpreter, its Temporal SDK. One that does not end is given up, and the rest
 * goes on in another process.
 *
 * @param options.home where the keys are that histories are signed with.
 */
export async function replayWith(
  build: Build,
  runs: readonly RecordedRun[],
  { home, timeLimitMs = TIME_LIMIT_MS }: { home: string; timeLimitMs?: number | undefined },
): Promise<Map<string, Replayed>> {
  const done = new Map<string, Replayed>();
  let left = runs;
  while (left.length > 0) {
    const why = await oneProcess(build, left, { home, timeLimitMs, done });
    left = runs.filter(({ runId }) => !done.has(runId));
    const [stuck] = left;
    if (stuck) done.set(stuck.runId, replayedOf([], why ?? "The replaying process ended."));
    left = left.slice(1);
  }
  return done;
}

/** @returns why it ended before all were replayed; null when they were. */
async function oneProcess(
  build: Build,
  runs: readonly RecordedRun[],
  { home, timeLimitMs, done }: { home: string; timeLimitMs: number; done: Map<string, Replayed> },
): Promise<string | null> {
  const child = start(build, home);
  const { History } = proto.temporal.api.history.v1;
  const batch = runs.map(({ runId, history }) => ({ runId, history: History.encode(history).finish() }));
  try {
    return await new Promise<string | null>((resolve) => {
      let left = batch.length;
      const limit = setTimeout(() => resolve(`The replay did not end within ${timeLimitMs / 1000} s.`), timeLimitMs);
      child.once("error", ({ message }) => resolve(message));
      child.once("exit", () => resolve("The replaying process ended during the replay."));
      child.on("message", ({ runId, facts, error }: BatchAnswer) => {
        done.set(runId, replayedOf(facts, error));
        if (--left === 0) resolve(null);
        else limit.refresh();
      });
      const request: BatchRequest = { id: 1, batch };
      child.send(request, (error) => {
        if (error) resolve(error.message);
      });
    }).finally(() => child.removeAllListeners());
  } finally {
    child.on("error", () => {});
    child.kill("SIGKILL");
  }
}

function start({ folder }: Build, home: string): ChildProcess {
  const coverage = process.env.NODE_V8_COVERAGE;
  const child = fork(join(folder, PROGRAM), [], {
    env: { PATH: process.env.PATH ?? "", LONGHAUL_HOME: home, ...(coverage ? { NODE_V8_COVERAGE: coverage } : {}) },
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: [],
    serialization: "advanced",
  });
  if (child.pid) setPriority(child.pid, NICE);
  return child;
}

function contentOf(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
