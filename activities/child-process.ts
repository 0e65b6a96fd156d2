import { setTimeout as sleep } from "node:timers/promises";
import { startChild } from "./launcher.js";
import type { Marks } from "./marks.js";
import type { ChildExit } from "./start-child.js";
import { GRACE_MS, recordStart, sweep } from "./sweep.js";

export interface ChildOptions {
  cwd: string;
  /** The whole environment; `childEnvironment` makes it. Holds the marks. */
  env: Readonly<Record<string, string>>;
  marks: Marks;
  /** When it is aborted, the child and all it has started are ended; `runChild` then rejects with the reason. */
  signal: AbortSignal;
  /** Milliseconds between SIGTERM and SIGKILL. @default 5000 */
  graceMs?: number | undefined;
  /** Text for its standard input; without it, the input is empty. */
  input?: string | undefined;
  onOutput?: ((stream: "stdout" | "stderr", data: Buffer) => void) | undefined;
  onStart?: ((pid: number) => void) | undefined;
}

/** How long output is read on after the exit, in milliseconds: something the child left may hold the pipe for hours. */
const DRAIN_MS = 1_000;

/**
 * Run a program in a process group of its own, to its end. The end is its exit and a short time for what is left
 * in the pipes, not their closing: what it has started in the background may go on.
 *
 * @throws the signal's reason, when nothing with the same marks is left; the system's error when it cannot be started.
 */
export async function runChild(command: string, args: readonly string[], options: ChildOptions): Promise<ChildExit> {
  const { cwd, env, marks, signal, graceMs = GRACE_MS, input, onOutput, onStart } = options;
  signal.throwIfAborted();
  let record: { ended(): void } | undefined;
  let letGo = () => {};
  let tellBegun = () => {};
  let tellClosed = () => {};
  const begun = new Promise<void>((resolve) => {
    tellBegun = resolve;
  });
  const closed = new Promise<void>((resolve) => {
    tellClosed = resolve;
  });
  const exited = new Promise<ChildExit>((resolve, reject) => {
    letGo = startChild(
      { command, args, cwd, env, marks, input },
      {
        started(pid) {
          record = recordStart(marks, pid);
          tellBegun();
          onStart?.(pid);
        },
        output: (stream, data) => onOutput?.(stream, data),
        exit: resolve,
        closed: tellClosed,
        failed(error) {
          tellBegun();
          reject(error);
        },
      },
    );
  });

  let ending: Promise<unknown> | undefined;
  const end = () => {
    ending = begun.then(() => sweep(marks, graceMs));
    ending.catch(() => {}); // awaited below
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    const exit = await exited;
    await Promise.race([closed, sleep(DRAIN_MS, undefined, { ref: false })]);
    if (!ending) return exit;
    await ending;
    throw signal.reason;
  } finally {
    signal.removeEventListener("abort", end);
    letGo();
    record?.ended();
  }
}
