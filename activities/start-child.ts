import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Marks } from "./marks.js";

/** What is to be started, in a process group of its own. */
export interface ChildCommand {
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment. */
  env: Readonly<Record<string, string>>;
  /** Those in its environment. */
  marks: Marks;
  /** Text for its standard input; without it, the input is empty. */
  input?: string | undefined;
}

/** One of the two is null. */
export interface ChildExit {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

/** What is told of a child: `failed` alone when it could not be started; else `started`, then `exit` and, in any order with it, `output` until `closed`. */
export interface ChildEvents {
  started(pid: number): void;
  /** With a promise, nothing more of the stream is read until that resolves. */
  output(stream: "stdout" | "stderr", data: Buffer): void | Promise<void>;
  exit(exit: ChildExit): void;
  /** Nothing holds the pipes of its output any more. */
  closed(): void;
  failed(error: Error): void;
}

/** Starts a child; what it returns lets go of its output. */
export type StartChild = (command: ChildCommand, events: ChildEvents) => () => void;

/** Start a child of this very process. */
export const startHere: StartChild = ({ command, args, cwd, env, input }, events) => {
  // A pipe of Node's is a socket: as its input, bash would take that for a login over the network and read ~/.bashrc.
  const stdin = input === undefined ? "ignore" : "pipe";
  const child = spawn(command, [...args], { cwd, env: { ...env }, detached: true, stdio: [stdin, "pipe", "pipe"] });
  child.once("error", (error) => events.failed(error));
  child.once("exit", (exitCode, signal) => events.exit({ exitCode, signal }));
  child.once("close", () => events.closed());
  for (const stream of ["stdout", "stderr"] as const) {
    const pipe = child[stream] as Readable; // asked for above
    pipe.on("data", (data: Buffer) => {
      const busy = events.output(stream, data);
      if (!busy) return;
      pipe.pause();
      void busy.then(() => pipe.resume());
    });
    pipe.on("error", () => {}); // a pipe that breaks is a pipe that ends
  }
  child.stdin?.on("error", () => {}); // it need not read what it is given
  child.stdin?.end(input);
  if (child.pid !== undefined) events.started(child.pid);
  return () => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
};
