import { type ChildProcess, spawn } from "node:child_process";
import { LogFile } from "./log-file.js";

export interface ChildSpec {
  /** For the reader: "worker". */
  name: string;
  /** A script for Node, absolute. */
  script: string;
  args?: string[];
  env: NodeJS.ProcessEnv;
  /** Where its output goes, absolute. */
  logFile: string;
  /** Milliseconds between SIGTERM and SIGKILL; default 15,000. */
  graceMs?: number;
}

export interface Supervised {
  name: string;
  /** Of the child as it is now; `undefined` between two lives. */
  pid(): number | undefined;
  /** How often it ended by itself. */
  falls(): number;
  /** The last lines it wrote, for a message. */
  lastLines(): string;
  /** SIGTERM, then SIGKILL after the grace period; returns once it is gone. */
  stop(): Promise<void>;
  /** SIGKILL, at once. */
  kill(): void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A child that lived this long is able to: it is started again at once, and its earlier falls count no more. */
const SETTLED_MS = 10_000;
const GRACE_MS = 15_000;
const LINES = 15;

/**
 * Keeps a child running: started at once, and again each time it ends by itself, after a pause that doubles when it did not live long.
 * Its standard input is a pipe that nothing is written to: it closes when we are gone, however that comes, and
 * the child ends then (`parent.ts`).
 */
export function supervise(spec: ChildSpec, log: (line: string) => void): Supervised {
  const output = new LogFile(spec.logFile);
  let child: ChildProcess | undefined;
  let falls = 0;
  let pause = FIRST_PAUSE_MS;
  let again: NodeJS.Timeout | undefined;
  let tail: string[] = [];
  let stopping = false;

  function begin(): void {
    const born = Date.now();
    const now = spawn(process.execPath, [spec.script, ...(spec.args ?? [])], {
      env: { ...spec.env, LONGHAUL_SUPERVISED: "1" },
      // Its own group: Ctrl-C in a terminal is for us, and we stop the children in order.
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    child = now;
    const keep = (chunk: Buffer) => {
      output.write(chunk);
      tail = [...tail, ...chunk.toString().split("\n")].filter((line) => line.trim() !== "").slice(-LINES);
    };
    now.stdout.on("data", keep);
    now.stderr.on("data", keep);
    now.stdin.on("error", () => {});
    now.once("error", (error) => {
      if (now.pid === undefined) ended(born, error.message);
    });
    // Not "close", which waits for whoever else holds its output.
    now.once("exit", (code, signal) => ended(born, code === null ? String(signal) : `exit code ${code}`));
  }

  function ended(born: number, how: string): void {
    child = undefined;
    if (stopping) return;
    falls += 1;
    if (Date.now() - born > SETTLED_MS) pause = 0;
    const when = pause === 0 ? "at once" : `in ${pause / 1000} s`;
    log(`The ${spec.name} ended (${how}) and is started again ${when}. Its log: ${spec.logFile}`);
    again = setTimeout(begin, pause);
    pause = Math.min(Math.max(pause * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
  }

  async function stop(): Promise<void> {
    stopping = true;
    clearTimeout(again);
    const last = child;
    if (last?.exitCode === null && last.signalCode === null) {
      const gone = new Promise<void>((resolve) => last.once("exit", () => resolve()));
      signalGroup(last, "SIGTERM");
      const timer = setTimeout(() => signalGroup(last, "SIGKILL"), spec.graceMs ?? GRACE_MS);
      await gone;
      clearTimeout(timer);
    }
    await output.end();
  }

  begin();
  return {
    name: spec.name,
    pid: () => child?.pid,
    falls: () => falls,
    lastLines: () => tail.join("\n"),
    stop,
    kill: () => {
      stopping = true;
      clearTimeout(again);
      if (child) signalGroup(child, "SIGKILL");
    },
  };
}

/** SIGTERM is for the child, which ends its own; SIGKILL cannot be passed on, so it goes to the whole group. */
function signalGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    if (child.pid !== undefined) process.kill(signal === "SIGKILL" ? -child.pid : child.pid, signal);
  } catch {
    // Gone already.
  }
}
