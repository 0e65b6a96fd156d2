import { setTimeout as sleep } from "node:timers/promises";
import type { Marks } from "./marks.js";
import { startOf } from "./process-owner.js";
import { type ProcessRow, processTable } from "./process-table.js";

/** Between SIGTERM and SIGKILL, in milliseconds. */
export const GRACE_MS = 5_000;
/** How long SIGKILL is repeated before we say that something cannot be ended. */
const KILLING_MS = 5_000;
const LOOK_MS = 50;

/** What this process has started: the only trace where the system does not show environments. */
const starts = new Set<{ marks: Partial<Marks>; leader: number; began: string | null }>();

/** Remember the leader of a process group until `ended` is called. Elsewhere than on Linux the group may outlive it. */
export function recordStart(marks: Partial<Marks>, leader: number): { ended(): void } {
  const start = { marks, leader, began: process.platform === "linux" ? null : startOf(leader) };
  starts.add(start);
  return {
    ended() {
      if (process.platform === "linux") starts.delete(start);
    },
  };
}

/** End everything that is left of a run on this host. */
export function sweepRun(runId: string, graceMs = GRACE_MS): Promise<number> {
  return sweep({ LONGHAUL_RUN_ID: runId }, graceMs);
}

/**
 * End every process that carries all the marks, with its descendants and the rest of its group: SIGTERM, then
 * after the grace SIGKILL, until none is left. What it misses: a process that has cleared its environment, has left
 * its session and has lost its parent.
 *
 * @param told leader of a group that has been sent SIGTERM.
 * @returns how many processes were found at first.
 * @throws {Error} when something lives on 5 s after SIGKILL.
 */
export async function sweep(marks: Partial<Marks>, graceMs = GRACE_MS, told?: number): Promise<number> {
  const found = await processesOf(marks);
  const known = new Set<number>(found.filter(({ group }) => group === told).map(({ pid }) => pid));
  const deadline = Date.now() + graceMs;
  let left = found;

  while (left.length > 0) {
    const killing = Date.now() >= deadline;
    if (Date.now() > deadline + KILLING_MS)
      throw new Error(`These processes could not be ended: ${left.map(({ pid }) => pid).join(", ")}`);
    for (const { pid } of left) {
      if (killing) signal(pid, "SIGKILL");
      else if (!known.has(pid)) signal(pid, "SIGTERM");
      known.add(pid);
    }
    await sleep(LOOK_MS);
    left = await processesOf(marks);
  }
  return found.length;
}

/** All that carry the marks, and what stands below or beside them. */
async function processesOf(marks: Partial<Marks>): Promise<ProcessRow[]> {
  const table = await processTable();
  const own = table.find((row) => row.pid === process.pid);
  const wanted = Object.entries(marks).map(([name, value]) => `\0${name}=${value}\0`);
  const recorded = leadersOf(marks);
  const found = new Set(table.filter((row) => carries(row, wanted) || recorded.includes(row.pid)).map((row) => row.pid));
  const groups = new Set(recorded);
  const sessions = new Set<number>();

  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const row of table) {
      // A child of ours leads its group and session; those of others are none of our business.
      if (found.has(row.pid) && row.group === row.pid) groups.add(row.group);
      if (found.has(row.pid) && row.session === row.pid) sessions.add(row.session);
      if (found.has(row.parent) || groups.has(row.group) || sessions.has(row.session)) found.add(row.pid);
    }
  }
  return table.filter(({ pid }) => found.has(pid) && pid !== process.pid && pid !== own?.parent && pid > 1);
}

function carries(row: ProcessRow, wanted: readonly string[]): boolean {
  return row.environment !== "" && wanted.every((entry) => `\0${row.environment}`.includes(entry));
}

/** SIGTERM for the group, at once: the whole table takes longer to read. */
export function endGroup(leader: number): void {
  signal(-leader, "SIGTERM");
}

function leadersOf(wanted: Partial<Marks>): number[] {
  const entries = Object.entries(wanted);
  return [...starts].flatMap((start) => {
    const { marks, leader, began } = start;
    if (!entries.every(([name, value]) => marks[name as keyof Marks] === value)) return []; // names of Marks alone
    const now = began === null ? null : startOf(leader);
    if (now === began || now === null) return [leader];
    starts.delete(start); // another process has its number by now
    return [];
  });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}
