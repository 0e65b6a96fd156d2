import { type ChildProcess, fork } from "node:child_process";
import { setPriority } from "node:os";
import proto, { type temporal } from "@temporalio/proto";
import type { Logger } from "pino";
import type { Fact } from "../contract/fact.js";
import { builtFile } from "../package-root.js";

/** A replay is a matter of milliseconds; one that takes this long runs user code that does not end. */
const TIME_LIMIT_MS = 60_000;

/** Replays get what live work leaves of the processors. */
const NICE = 19;

/** Each replay leaves some 4 MB behind in its process, Temporal's maps of the code among them: after so many the next has a new one. */
const MOST_REPLAYS = 50;

/** A process without work is given up: most of the time nothing is to be replayed. */
const IDLE_MS = 30_000;

export type History = temporal.api.history.v1.IHistory;

export interface ReplayRequest {
  id: number;
  runId: string;
  /** The history, encoded: `temporal.api.history.v1.History`. */
  history: Uint8Array;
}

export type ReplayAnswer = { id: number } & ({ facts: Fact[] } | { error: { name: string; message: string } });

/** A history that its own code does not lead to any more, or cannot be replayed at all. */
export class ReplayError extends Error {
  override readonly name = "ReplayError";
}

/**
 * Replays histories and gives the facts they tell, in a child process with a watchdog: a replay runs user
 * code on the main thread without a limit, and changes the process it runs in.
 */
export class Replayer {
  private child: ChildProcess | undefined;
  private replays = 0;
  private idle: NodeJS.Timeout | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private ids = 0;

  constructor(
    private readonly options: {
      home: string;
      log: Logger;
      timeLimitMs?: number;
      /** @default 50 */
      mostReplays?: number;
      /** @default 30,000 */
      idleMs?: number;
    },
  ) {}

  /** Of the process that replays; there is none most of the time. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /**
   * The facts of a history, one after another.
   *
   * @throws {ReplayError}
   */
  facts(runId: string, history: History): Promise<Fact[]> {
    const done = this.queue.then(() => this.ask(runId, history));
    this.queue = done.catch(() => undefined);
    return done;
  }

  stop(): void {
    clearTimeout(this.idle);
    this.child?.kill("SIGKILL");
    this.child = undefined;
  }

  /** It ends by itself when nobody holds its channel. */
  private retire(): void {
    clearTimeout(this.idle);
    if (this.child?.connected) this.child.disconnect();
    this.child = undefined;
  }

  private ask(runId: string, history: History): Promise<Fact[]> {
    clearTimeout(this.idle);
    const child = this.child ?? this.start();
    const id = ++this.ids;
    const limitMs = this.options.timeLimitMs ?? TIME_LIMIT_MS;

    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.stop();
        finish(() => reject(new ReplayError(`The replay of ${runId} did not end within ${limitMs / 1000} s.`)));
      }, limitMs);
      const onExit = () => finish(() => reject(new ReplayError(`The replaying process ended during the replay of ${runId}.`)));
      const onMessage = (answer: ReplayAnswer) => {
        if (answer.id !== id) return;
        finish(() => ("facts" in answer ? resolve(answer.facts) : reject(new ReplayError(answer.error.message))));
      };
      const finish = (settle: () => void) => {
        clearTimeout(limit);
        child.off("exit", onExit).off("message", onMessage);
        if (++this.replays >= (this.options.mostReplays ?? MOST_REPLAYS)) this.retire();
        else this.idle = setTimeout(() => this.retire(), this.options.idleMs ?? IDLE_MS).unref();
        settle();
      };
      child.on("exit", onExit).on("message", onMessage);
      const request: ReplayRequest = { id, runId, history: proto.temporal.api.history.v1.History.encode(history).finish() };
      child.send(request, (error) => {
        if (error) onExit();
      });
    });
  }

  private start(): ChildProcess {
    const child = fork(builtFile("worker/replay-main.js"), [], {
      env: { PATH: process.env.PATH ?? "", LONGHAUL_HOME: this.options.home, ...coverage() },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [],
      serialization: "advanced",
    });
    if (child.pid) setPriority(child.pid, NICE);
    child.once("exit", () => {
      if (this.child === child) this.child = undefined;
    });
    this.child = child;
    this.replays = 0;
    return child;
  }
}

/** Test coverage is counted over child processes, too. */
function coverage(): Record<string, string> {
  const folder = process.env.NODE_V8_COVERAGE;
  return folder ? { NODE_V8_COVERAGE: folder } : {};
}
