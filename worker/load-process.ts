import { type ChildProcess, fork } from "node:child_process";
import { builtFile } from "../package-root.js";
import type { LoadAnswer, LoadRequest } from "./load.js";

/**
 * One child process that evaluates one program, the first it is asked about, without secrets, and answers about it as
 * often as it is asked. What goes wrong in it is an answer, never an exception.
 */
export class LoadProcess {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, (answer: LoadAnswer | { gone: string }) => void>();
  private asked = 0;
  private gone: string | undefined;

  constructor() {
    const coverage = process.env.NODE_V8_COVERAGE;
    this.child = fork(builtFile("worker/load-child.js"), [], {
      env: { PATH: process.env.PATH ?? "", ...(coverage ? { NODE_V8_COVERAGE: coverage } : {}) },
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--max-old-space-size=512"],
      serialization: "advanced",
    });
    const end = (message: string) => {
      this.gone ??= message;
      for (const settle of this.waiting.values()) settle({ gone: this.gone });
      this.waiting.clear();
    };
    this.child.on("message", ({ id, answer }: { id: number; answer: LoadAnswer }) => {
      this.waiting.get(id)?.(answer);
      this.waiting.delete(id);
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

  ask(request: LoadRequest, timeLimitMs: number): Promise<LoadAnswer> {
    const { file } = request.program;
    if (this.gone) return Promise.resolve(failure(file, this.gone));
    const id = ++this.asked;
    return new Promise((resolve) => {
      const limit = setTimeout(() => {
        this.gone = `The file was not evaluated within ${timeLimitMs / 1000} s. Is there a loop at its top level?`;
        this.kill();
      }, timeLimitMs);
      this.waiting.set(id, (answer) => {
        clearTimeout(limit);
        resolve("gone" in answer ? failure(file, answer.gone) : answer);
      });
      this.child.send({ id, request }, (error) => {
        if (error) this.waiting.get(id)?.({ gone: error.message });
      });
    });
  }

  /** Let it go: it ends by itself. */
  release(): void {
    if (this.child.connected) this.child.disconnect();
  }

  private kill(): void {
    this.child.kill("SIGKILL");
  }
}

function failure(file: string, message: string): LoadAnswer {
  return { ok: false, error: { message, file, line: null } };
}
