import { constants } from "node:os";
import { StringDecoder } from "node:string_decoder";
import type { Call, Outcome } from "../contract/activity.js";
import { runChild } from "./child-process.js";
import { stepEnvironment } from "./environment.js";
import { StepFailure } from "./failure.js";
import { folderInside } from "./inside.js";
import { excerptWindow } from "./output-window.js";
import type { Work } from "./perform.js";
import type { MaskedPieces, SecretMask } from "./secret-mask.js";
import type { ChildExit } from "./start-child.js";
import { performOnTree, type TreeDeps } from "./tree-step.js";

export interface ShellInput {
  /** Given to `bash -c` as it is: no `set -e`, no `pipefail` but what it sets itself. */
  command: string;
  /** Inside the run's tree, which is the default. */
  cwd?: string | undefined;
  env?: Record<string, string> | undefined;
  /** Return another exit code than 0 instead of failing. @default false */
  allowFailure?: boolean | undefined;
}

/** Of each stream at most 16,000 characters, head and tail; more of it is in the step's log. */
export interface ShellOutput {
  /** 128 and the signal's number when it was killed, as a shell says it. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

const RESULT_CHARS = 16_000;
/** As JSON: control characters and other scripts need more bytes, and both streams must fit into a history. */
const RESULT_BYTES = 30_000;

/**
 * Run a command with bash in the run's tree.
 *
 * After a lost worker it may run again: a command that must not repeat can test LONGHAUL_ATTEMPT, or its step says
 * `retry: false`. It ends with the exit of bash; what it has started in the background goes on until the run ends, or
 * ends with the step when the step fails. Cancelled, its processes get SIGTERM, then SIGKILL.
 *
 * @throws {ApplicationFailure} `shell_failed`, its detail's `output` a ShellOutput; and what `perform` throws.
 */
export function shell(deps: TreeDeps, call: Call<ShellInput>): Promise<Outcome<ShellOutput>> {
  return performOnTree(deps, "the command", call, { writes: true }, (work) => runCommand(call, work));
}

/** A command inside any step. @throws {StepFailure} as the shell activity does, `output` a ShellOutput. */
export async function runCommand({ run, input }: Call<ShellInput>, work: Work): Promise<ShellOutput> {
  const { command, env, allowFailure = false } = input;
  if (command.includes("\0")) throw new StepFailure("invalid_input", "A command cannot hold a NUL character.");
  const cwd = await folderInside(run.workspace.path, input.cwd);
  const kept = { stdout: new Kept(work.mask), stderr: new Kept(work.mask) };
  const output = (exit: ChildExit): ShellOutput => ({
    exitCode: exitCodeOf(exit),
    stdout: kept.stdout.toString(),
    stderr: kept.stderr.toString(),
  });

  let exit: ChildExit;
  try {
    exit = await runChild("bash", ["-c", command], {
      cwd,
      env: stepEnvironment(work.marks, { ...work.env, ...env }),
      marks: work.marks,
      signal: work.signal,
      graceMs: work.graceMs,
      onStart: (pid) => work.tell({ pid }),
      onOutput(stream, data) {
        work.alive();
        kept[stream].push(data);
        work.log.write(stream, data);
      },
    });
  } catch (error) {
    if (!work.signal.aborted || !(error instanceof StepFailure)) throw error;
    throw new StepFailure(error.type, error.message, output({ exitCode: null, signal: "SIGTERM" }));
  }
  const result = output(exit);
  if (result.exitCode === 0 || (allowFailure && exit.signal === null)) return result;
  throw new StepFailure("shell_failed", describe(exit, result), result);
}

/** `The command exited with code 3: no such target` */
function describe({ exitCode, signal }: ChildExit, { stdout, stderr }: ShellOutput): string {
  const last = lastLine(stderr) || lastLine(stdout);
  const memory = signal === "SIGKILL" || exitCode === 137 ? " (out of memory?)" : "";
  const end = signal ? `was killed by ${signal}` : `exited with code ${exitCode}`;
  return `The command ${end}${memory}${last ? `: ${last}` : "."}`;
}

function lastLine(text: string): string {
  return (text.trimEnd().split("\n").at(-1) ?? "").slice(0, 500);
}

function exitCodeOf({ exitCode, signal }: ChildExit): number {
  return exitCode ?? 128 + (signal ? constants.signals[signal] : 0);
}

/** What the result keeps of a stream, decoded and hidden in across the borders of its pieces. */
class Kept {
  private readonly decoder = new StringDecoder("utf8");
  private readonly window = excerptWindow(RESULT_CHARS);
  private readonly pieces: MaskedPieces;

  constructor(mask: SecretMask) {
    this.pieces = mask.pieces();
  }

  push(data: Buffer): void {
    this.window.push(this.pieces.push(this.decoder.write(data)));
  }

  toString(): string {
    this.window.push(this.pieces.push(this.decoder.end()) + this.pieces.end());
    return this.window.within(RESULT_BYTES);
  }
}
