import { type ChildProcess, fork } from "node:child_process";
import { builtFile } from "../package-root.js";
import { flagsOf } from "../program.js";
import type { LoadAnswer, LoadRequest } from "./load.js";

/** How long a process may take to begin with what it is asked: on a busy machine that is no fault of the file. */
const BEGIN_LIMIT_MS = 60_000;

interface Asked {
  begun: () => void;
  settle: (answer: LoadAnswer | { gone: string }) => void;
}

/**
 * One child process that evaluates one program, the first it is asked about, without secrets, and answers about it as
 * often as it is asked. What goes wrong in it is an answer, never an exception.
 */
export class LoadProcess {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Asked>();
  private asked = 0;
  private gone: string | undefined;

  /** @param program what it runs: `plan` makes itself faster at reading definitions while nothing is asked of it */
  constructor(program: "load" | "plan") {
    const coverage = process.env.NODE_V8_COVERAGE;
    this.child = fork(builtFile(`worker/${program}-main.js`), [], {
      env: { PATH: process.env.PATH ?? "", ...(coverage ? { NODE_V8_COVERAGE: coverage } : {}) },
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: flagsOf(program),
      serialization: "advanced",
    });
    const end = (message: string) => {
      this.gone ??= message;
      for (const { settle } of this.waiting.values()) settle({ gone: this.gone });
      this.waiting.clear();
    };
    this.child.on("message", ({ id, answer }: { id: number; answer?: LoadAnswer }) => {
      const asked = this.waiting.get(id);
      if (!answer) return asked?.begun();
      this.waiting.delete(id);
      asked?.settle(answer);
    });
    this.child.once("error", (error) => end(error.message));
    this.child.once("exit", (code) => end(`The file ended its process (exit code ${code ?? "none"}) while it was evaluated.`));
    this.child.unref();
    this.child.channel?.unref();
  }

  get alive(): boolean {
    return this.gone === undefined && this.child.connected;
  }

  onceGone(act: () => void): void {
    this.child.once("exit", act);
  }

  /** @param timeLimitMs from when it has begun. */
  ask(request: LoadRequest, timeLimitMs: number): Promise<LoadAnswer> {
    const file = "program" in request ? request.program.file : request.file;
    if (this.gone) return Promise.resolve(failure(file, this.gone));
    const id = ++this.asked;
    return new Promise((resolve) => {
      let limit = this.killAfter(BEGIN_LIMIT_MS, "The process that evaluates files did not begin within");
      this.waiting.set(id, {
        begun: () => {
          clearTimeout(limit);
          const hint = "Is there a loop at its top level?";
          limit = this.killAfter(timeLimitMs, "The file was not evaluated within", hint);
        },
        settle: (answer) => {
          clearTimeout(limit);
          resolve("gone" in answer ? failure(file, answer.gone) : answer);
        },
      });
      this.child.send({ id, request }, (error) => {
        if (error) this.waiting.get(id)?.settle({ gone: error.message });
      });
    });
  }

  /** Let it go: it ends by itself. */
  release(): void {
    if (this.child.connected) this.child.disconnect();
  }

  private killAfter(ms: number, what: string, hint = "Is the machine too busy?"): NodeJS.Timeout {
    return setTimeout(() => {
      this.gone = `${what} ${ms / 1000} s. ${hint}`;
      this.child.kill("SIGKILL");
    }, ms);
  }
}

function failure(file: string, message: string): LoadAnswer {
  return { ok: false, error: { message, file, line: null } };
}
