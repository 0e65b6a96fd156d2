import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Json } from "../contract/json.js";
import { childEnvironment } from "./environment.js";
import { StepFailure } from "./failure.js";
import { guard } from "./launcher.js";
import type { Marks } from "./marks.js";
import { recordStart, sweep } from "./sweep.js";

/** The first that the process is told. */
export interface ChildLoad {
  /** The file with the compiled code of the activities. */
  code: string;
}

export interface ChildRequest {
  name: string;
  args: Json[];
  /** Set in the process before the call, so that what it starts is known as its run's and step's. */
  env: Record<string, string>;
  cwd: string;
}

export interface ChildError {
  name: string;
  message: string;
  /** With the user's own lines alone. */
  stack: string;
}

export type ChildAnswer =
  | { is: "ready" }
  | { is: "unusable"; error: ChildError }
  | { is: "done"; json: string }
  | { is: "failed"; error: ChildError };

export interface ActivityProcessOptions {
  /** The program that `user-activity-child.ts` is compiled to. */
  program: string;
  cwd: string;
  marks: Partial<Marks>;
  graceMs: number;
}

export interface ActivityCall extends ChildRequest {
  signal: AbortSignal;
  onOutput: (stream: "stdout" | "stderr", data: Buffer) => void;
}

const LAST_WORDS = 500;

/** A Node process that loads a file's own activities, and runs one call of them at a time. It ends with this process. */
export class ActivityProcess {
  readonly child: ChildProcess;
  private ready: Promise<void> = Promise.reject(new Error("This process has loaded nothing yet."));
  private readonly gone: Promise<never>;
  private readonly record: { ended(): void } | undefined;
  private readonly letGo: () => void;
  private answered: ((answer: ChildAnswer) => void) | undefined;
  private onOutput: ActivityCall["onOutput"] | undefined;
  private lastWords = "";

  constructor(private readonly options: ActivityProcessOptions) {
    const { program, cwd, marks } = options;
    const env = childEnvironment(marks);
    this.child = spawn(process.execPath, ["--enable-source-maps", program], {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.record = this.child.pid ? recordStart(marks, this.child.pid) : undefined;
    this.letGo = this.child.pid ? guard({ leader: this.child.pid, marks }) : () => {};
    this.gone = this.whenGone();
    this.gone.catch(() => {});
    this.child.on("message", (answer: ChildAnswer) => this.answered?.(answer));
    for (const stream of ["stdout", "stderr"] as const) {
      this.child[stream]?.on("data", (data: Buffer) => {
        if (stream === "stderr") this.lastWords = (this.lastWords + data.toString()).slice(-LAST_WORDS);
        this.onOutput?.(stream, data);
      });
    }
    this.hold("unref");
    this.ready.catch(() => {});
  }

  get alive(): boolean {
    return this.child.connected && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Once, before the first call; what goes wrong is thrown by the calls. */
  load(code: string): void {
    this.ready = this.whenReady({ code });
    this.ready.catch(() => {});
  }

  /** @throws the user's error, by name and message; {StepFailure} `activity_crashed`, `activity_missing`; the signal's reason. */
  async call({ name, args, env, cwd, signal, onOutput }: ActivityCall): Promise<Json> {
    signal.throwIfAborted();
    this.onOutput = onOutput;
    this.hold("ref");
    const stop = () => void this.end().catch(() => {});
    signal.addEventListener("abort", stop, { once: true });
    try {
      await this.ready;
      const answer = await this.ask({ name, args, env, cwd });
      await nextTurn(); // what it has printed before it answered
      if (answer.is === "done") return JSON.parse(answer.json) as Json;
      throw answer.is === "failed" ? errorOf(answer.error) : new Error(`An activity process answered "${answer.is}" to a call.`);
    } catch (error) {
      if (!signal.aborted) throw error;
      await this.end();
      throw signal.reason;
    } finally {
      signal.removeEventListener("abort", stop);
      this.onOutput = undefined;
      this.hold("unref");
    }
  }

  /** End it and all that it has started. */
  async end(): Promise<void> {
    await sweep(this.options.marks, this.options.graceMs);
    this.record?.ended();
  }

  /** A process that waits for calls is no reason for this one to stay. */
  private hold(how: "ref" | "unref"): void {
    this.child[how]();
    this.child.channel?.[how]?.();
    for (const stream of [this.child.stdout, this.child.stderr]) (stream as Socket | null)?.[how](); // a pipe is a socket to Node
  }

  private ask(request: ChildLoad | ChildRequest): Promise<ChildAnswer> {
    const answer = new Promise<ChildAnswer>((resolve) => {
      this.answered = resolve;
    });
    this.child.send(request, () => {}); // when it cannot be sent, the process is gone
    return Promise.race([answer, this.gone]);
  }

  private async whenReady(load: ChildLoad): Promise<void> {
    const answer = await this.ask(load);
    if (answer.is !== "unusable") return;
    await this.end();
    throw new StepFailure("activity_missing", `The file's activities could not be loaded: ${answer.error.message}`);
  }

  private whenGone(): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.child.once("error", (error) =>
        reject(new StepFailure("activity_crashed", `The activities' process could not be started: ${error.message}`)),
      );
      this.child.once("exit", (code, signal) => {
        this.record?.ended();
        this.letGo();
        const words = this.lastWords.trim();
        const end = signal
          ? `was killed by ${signal}${signal === "SIGKILL" ? " (out of memory?)" : ""}`
          : `exited with code ${code}`;
        reject(
          new StepFailure("activity_crashed", `The activity's process ${end} before it answered${words ? `: ${words}` : "."}`),
        );
      });
    });
  }
}

function errorOf({ name, message, stack }: ChildError): Error {
  if (name === "activity_missing") return new StepFailure(name, message);
  const error = new Error(message);
  error.name = name;
  error.stack = stack;
  return error;
}
