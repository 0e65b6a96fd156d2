import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Processes with the mark of one of these runs, as `/proc` shows them. */
export function processesOf(runIds: readonly string[]): { pid: number; run_id: string; command: string }[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const environment = readProc(pid, "environ");
    const run_id = runIds.find((id) => `\0${environment}`.includes(`\0LONGHAUL_RUN_ID=${id}\0`));
    const command = readProc(pid, "cmdline").replaceAll("\0", " ").trim();
    // Without a command it is over, and only its exit code has not been read.
    return run_id && command ? [{ pid: Number(pid), run_id, command }] : [];
  });
}

/** Memory that a process has at this moment, in bytes; 0 when it is gone. */
export function residentBytes(pid: number): number {
  const [, kilobytes = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(String(pid), "status")) ?? [];
  return Number(kilobytes) * 1024;
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // gone meanwhile
  }
}

const HALF_MADE = /\.lock$|\.tmp$|^\.upload-|\.new$|^lock\./;
/** Folders of programs that see to their own files. */
const FOREIGN = new Set(["postgres", "temporal", "node_modules", "thread-writer-locks"]);

/** Locks and files that were not finished, below a folder; those of servers and agents themselves apart. */
export function leftoversBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return FOREIGN.has(entry.name) ? [] : leftoversBelow(path);
    return HALF_MADE.test(entry.name) ? [path] : [];
  });
}

/** A line of a counter file: the first word, and when it was written, in milliseconds, if the line says so. */
export interface CountedLine {
  word: string;
  at: number | null;
}

/** None when nothing was counted yet. */
export function countedLines(file: string): CountedLine[] {
  return linesOf(file).map((line) => {
    const [word = "", seconds] = line.split(" ");
    return { word, at: seconds ? Number(seconds) * 1000 : null };
  });
}

/** The first words alone. */
export function counterLines(file: string): string[] {
  return countedLines(file).map(({ word }) => word);
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}
