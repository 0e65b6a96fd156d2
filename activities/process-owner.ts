import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessOwner {
  pid: number;
  /** When it began, as the system says it: clock ticks since boot on Linux, a date without blanks elsewhere. */
  started: string;
  host: string;
}

/** This process. */
export function thisProcess(): ProcessOwner {
  return { pid: process.pid, started: startOf(process.pid) ?? "unknown", host: hostname() };
}

/** What a process that must not outlive its owner carries as LONGHAUL_OWNER. */
export function ownerMark({ pid, started }: ProcessOwner): string {
  return `${pid}-${started}`;
}

/** When the process began, or null when there is none (a zombie counts as none). */
export function startOf(pid: number): string | null {
  return process.platform === "linux" ? linuxStart(pid) : otherStart(pid);
}

/** Whether the process still lives. Of other hosts nothing is known: their processes count as living. */
export function isAlive(owner: ProcessOwner): boolean {
  return owner.host !== hostname() || startOf(owner.pid) === owner.started;
}

function linuxStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command, in brackets, may itself hold blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function otherStart(pid: number): string | null {
  try {
    const date = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return date.trim().replace(/[^A-Za-z0-9]+/g, "_") || null;
  } catch {
    return null;
  }
}
