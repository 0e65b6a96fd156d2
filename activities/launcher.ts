import { type ChildProcess, fork } from "node:child_process";
import type { GitCommand, GitResult, RunGit } from "./git-command.js";
import { runGitHere } from "./git-command.js";
import type { Marks } from "./marks.js";
import { Interrupted } from "./operation.js";
import type { ChildCommand, ChildEvents, ChildExit, StartChild } from "./start-child.js";
import { startHere } from "./start-child.js";

/** What is ended with the worker: a process group, and all that carries its marks. */
export interface Ward {
  leader: number;
  marks: Partial<Marks>;
}

/** What the launcher is asked. `let go`: of a child's output, of a command of git, which ends, or of a ward. */
export type LaunchRequest = { id: number } & (
  | { ask: "start"; command: ChildCommand }
  | { ask: "git"; command: GitCommand }
  | ({ ask: "guard" } & Ward)
  | { ask: "let go" }
);

export type LaunchAnswer = { id: number } & (
  | { is: "started"; pid: number }
  | { is: "output"; stream: "stdout" | "stderr"; data: Buffer }
  | { is: "exit"; exit: ChildExit }
  | { is: "closed" }
  | { is: "failed"; error: { message: string; code: string | undefined } }
  | { is: "git"; result: GitResult | null }
);

/** Who waits for answers to one request. */
interface Asker {
  hear(answer: LaunchAnswer): void;
  lost(error: Error): void;
}

/**
 * A small process that starts others. To start one copies the map of all memory and stands still meanwhile: 5 ms for each 100 MB of a
 * worker were seen, three times a step. The small one does it in one. When this process is gone, however that came, it ends
 * what is under way, SIGTERM first, and then itself. When it is killed the next one is started, and what was under way is lost
 * as with a worker.
 */
export class Launcher {
  private readonly askers = new Map<number, Asker>();
  private readonly wards = new Map<number, Ward>();
  private process: ChildProcess | undefined;
  private asked = 0;

  /** @param program what `launcher-child.ts` is compiled to. */
  constructor(private readonly program: string) {
    this.process = this.begin();
  }

  readonly start: StartChild = (command, events) => {
    const id = this.ask(
      { ask: "start", command },
      childAsker(events, () => this.forget(id)),
    );
    return () => {
      if (this.forget(id)) this.send({ id, ask: "let go" });
    };
  };

  readonly git: RunGit = (command, signal) =>
    new Promise((resolve, reject) => {
      const stop = () => this.send({ id, ask: "let go" });
      const over = () => {
        this.forget(id);
        signal?.removeEventListener("abort", stop);
      };
      const id = this.ask(
        { ask: "git", command },
        {
          hear(answer) {
            over();
            if (answer.is === "git") resolve(answer.result);
            else reject(new Error(`The launcher answered "${answer.is}" to a command of git.`));
          },
          lost(error) {
            over();
            reject(error);
          },
        },
      );
      signal?.addEventListener("abort", stop, { once: true });
    });

  /** End this too, when this process is gone, until what it returns is called. */
  guard(ward: Ward): () => void {
    const id = ++this.asked;
    this.wards.set(id, ward);
    this.send({ id, ask: "guard", ...ward });
    return () => {
      this.wards.delete(id);
      this.send({ id, ask: "let go" });
    };
  }

  stop(): void {
    if (this.process?.connected) this.process.disconnect();
  }

  private begin(): ChildProcess {
    const coverage = process.env.NODE_V8_COVERAGE;
    const child = fork(this.program, [], {
      env: { PATH: process.env.PATH ?? "", ...(coverage ? { NODE_V8_COVERAGE: coverage } : {}) },
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    const end = () => {
      if (this.process !== child) return;
      this.process = undefined;
      const lost = new Interrupted("The process that starts the worker's commands was killed.");
      for (const asker of [...this.askers.values()]) asker.lost(lost);
      this.askers.clear();
    };
    child.once("exit", end);
    child.once("error", end);
    child.on("message", (answer: LaunchAnswer) => this.askers.get(answer.id)?.hear(answer));
    child.unref();
    child.channel?.unref();
    for (const [id, ward] of this.wards) child.send({ id, ask: "guard", ...ward } satisfies LaunchRequest, () => {});
    return child;
  }

  private ask(request: { ask: "start"; command: ChildCommand } | { ask: "git"; command: GitCommand }, asker: Asker): number {
    const id = ++this.asked;
    this.askers.set(id, asker);
    if (!this.process?.connected) this.process = this.begin();
    this.process.channel?.ref();
    this.send({ id, ...request });
    return id;
  }

  private send(request: LaunchRequest): void {
    this.process?.send(request, () => {}); // when it cannot be sent, the process is gone, which is told to all
  }

  /** Says whether it was still waited for. */
  private forget(id: number): boolean {
    const waited = this.askers.delete(id);
    if (this.askers.size === 0) this.process?.channel?.unref();
    return waited;
  }
}

function childAsker(events: ChildEvents, over: () => void): Asker {
  return {
    hear(answer) {
      if (answer.is === "started") events.started(answer.pid);
      else if (answer.is === "output") void events.output(answer.stream, answer.data);
      else if (answer.is === "exit") events.exit(answer.exit);
      else if (answer.is === "closed") {
        over();
        events.closed();
      } else if (answer.is === "failed") {
        over();
        events.failed(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
      }
    },
    lost: (error) => events.failed(error),
  };
}

let launcher: Launcher | undefined;

/** From now on, until `stop`, the children of this process are started by a launcher. */
export function launchFrom(program: string): { stop(): void } {
  const own = new Launcher(program);
  launcher = own;
  return {
    stop() {
      if (launcher === own) launcher = undefined;
      own.stop();
    },
  };
}

/** Have something that this process has started end with it, when there is a launcher; until what it returns is called. */
export const guard = (ward: Ward): (() => void) => launcher?.guard(ward) ?? (() => {});

/** By the launcher when there is one. */
export const startChild: StartChild = (command, events) => (launcher?.start ?? startHere)(command, events);

/** By the launcher when there is one. */
export const runGit: RunGit = (command, signal) => (launcher?.git ?? runGitHere)(command, signal);
