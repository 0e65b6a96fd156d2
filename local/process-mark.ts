import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A process told apart from a later one that was given the same number. */
export interface ProcessMark {
  pid: number;
  /** When it began, in whatever unit the system tells: only good for comparing. */
  started: string;
}

/** The process with this number as it is now; `undefined` when there is none, or only its unread exit code is left. */
export function markOf(pid: number): ProcessMark | undefined {
  const started = process.platform === "linux" ? startedOnLinux(pid) : startedByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

/** The mark of this very process. */
export function ownMark(): ProcessMark {
  return markOf(process.pid) ?? { pid: process.pid, started: "" };
}

export function isAlive(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.started === mark.started;
}

/** Writes the mark of a child that was just spawned. */
export function writeMark(file: string, pid: number): void {
  const mark = markOf(pid);
  if (mark) writeFileSync(file, JSON.stringify(mark), { mode: 0o600 });
}

/** What stands in a mark file; `undefined` when there is none or it was cut short. */
export function readMark(file: string): ProcessMark | undefined {
  try {
    const read: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof read !== "object" || read === null || !("pid" in read) || !("started" in read)) return undefined;
    return typeof read.pid === "number" && typeof read.started === "string"
      ? { pid: read.pid, started: read.started }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Ends a process and returns once it is gone. Each signal is given its time before the next one is sent.
 *
 * @param signals with milliseconds to wait after each; the last one should be SIGKILL.
 * @returns false when it outlived all of them.
 */
export async function endProcess(mark: ProcessMark, signals: [NodeJS.Signals, number][]): Promise<boolean> {
  for (const [signal, patience] of signals) {
    if (!isAlive(mark)) return true;
    try {
      process.kill(mark.pid, signal);
    } catch {
      // Gone between the question and the signal.
    }
    const until = Date.now() + patience;
    while (isAlive(mark) && Date.now() < until) await sleep(20);
  }
  return !isAlive(mark);
}

/** The command a process was started with, its arguments separated by blanks; empty when it is gone. */
export function commandOf(pid: number): string {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return "";
  }
}

/** Fields 3 (state) and 22 (start) of `/proc/<pid>/stat`, counted after the name, which may hold spaces and brackets. */
function startedOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function startedByPs(pid: number): string | undefined {
  try {
    const told = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: { LC_ALL: "C", PATH: process.env.PATH },
    });
    const [state = "Z", ...start] = told.trim().split(/\s+/);
    return state.startsWith("Z") ? undefined : start.join(" ");
  } catch {
    return undefined;
  }
}
