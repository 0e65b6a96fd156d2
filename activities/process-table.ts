import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export interface ProcessRow {
  pid: number;
  parent: number;
  group: number;
  session: number;
  /** `NAME=value` entries divided by NUL; empty where the system does not tell them. */
  environment: string;
}

/** Milliseconds between two looks. */
const SHARED_MS = 50;
let looked = Number.NEGATIVE_INFINITY;
let next: Promise<ProcessRow[]> | undefined;

/**
 * Every living process, zombies left out. On Linux with its environment, as far as we may read it. The look is taken after the
 * call, and shared by all who ask before it is taken: runs that end together do not read the whole system one by one.
 */
export function processTable(): Promise<ProcessRow[]> {
  next ??= sleep(Math.max(0, looked + SHARED_MS - performance.now())).then(() => {
    next = undefined;
    looked = performance.now();
    return process.platform === "linux" ? linuxTable() : otherTable();
  });
  return next;
}

/** Linux' own threads are children of this process. */
const KERNEL = "2";

function linuxTable(): ProcessRow[] {
  const rows: ProcessRow[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const [state, parent, group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || state === "X") continue;
      const isKernels = name === KERNEL || parent === KERNEL;
      const environment = isKernels ? "" : environmentOf(name);
      rows.push({ pid: Number(name), parent: Number(parent), group: Number(group), session: Number(session), environment });
    } catch {
      // It ended while we looked.
    }
  }
  return rows;
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return ""; // another user's
  }
}

async function otherTable(): Promise<ProcessRow[]> {
  const { stdout } = await promisify(execFile)("ps", ["-axo", "pid=,ppid=,pgid=,stat="], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split("\n").flatMap((line) => {
    const [pid, parent, group, state] = line.trim().split(/\s+/);
    if (!pid || state?.startsWith("Z")) return [];
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), session: 0, environment: "" }];
  });
}
