import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";

export interface ProcessRow {
  pid: number;
  parent: number;
  group: number;
  session: number;
  /** `NAME=value` entries divided by NUL; empty where the system does not tell them. */
  environment: string;
}

/** Every living process, zombies left out. On Linux with its environment, as far as we may read it. */
export async function processTable(): Promise<ProcessRow[]> {
  return process.platform === "linux" ? linuxTable() : await otherTable();
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
