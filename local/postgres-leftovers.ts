import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { commandOf, endProcess, isAlive, markOf, type ProcessMark } from "./process-mark.js";

/**
 * Ends the server that still works on this data folder after its parent was killed, then the helpers of a server
 * that was itself killed. Only when none is left may `postmaster.pid` go, for two servers on one folder destroy it.
 *
 * @param stop signals for the server, with the patience after each.
 * @throws {Error} with the pid of a process that cannot be ended.
 */
export async function endLeftovers(data: string, stop: [NodeJS.Signals, number][], log: (line: string) => void): Promise<void> {
  const pidFile = join(data, "postmaster.pid");
  const server = serverIn(pidFile, data);
  if (server) {
    log("Ending a Postgres server of an earlier start");
    if (!(await endProcess(server, stop))) throw new Error(`Postgres of an earlier start (pid ${server.pid}) cannot be ended.`);
  }
  for (const left of workersIn(data)) {
    // They end by themselves once they notice; a busy one may take long.
    if (
      !(await endProcess(left, [
        ["SIGQUIT", 5_000],
        ["SIGKILL", 5_000],
      ]))
    ) {
      throw new Error(`A Postgres process of an earlier start (pid ${left.pid}) cannot be ended.`);
    }
  }
  if (process.platform === "linux" || markOf(pidIn(pidFile))) rmSync(pidFile, { force: true });
}

/** The pid file outlives a kill and its number may be somebody else's by now: only a process that works on our folder counts. */
function serverIn(pidFile: string, data: string): ProcessMark | undefined {
  const mark = markOf(pidIn(pidFile));
  if (!mark) return undefined;
  return worksIn(mark.pid, data) && isAlive(mark) ? mark : undefined;
}

function pidIn(pidFile: string): number {
  try {
    return Number.parseInt(readFileSync(pidFile, "utf8"), 10) || 0;
  } catch {
    return 0;
  }
}

/** Every Postgres process stands in its data folder; a shell that somebody opened there does, too. */
function worksIn(pid: number, data: string): boolean {
  try {
    if (process.platform === "linux") {
      return readlinkSync(`/proc/${pid}/cwd`) === data && readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "postgres";
    }
    return commandOf(pid).includes(data);
  } catch {
    return false;
  }
}

/** Where there is no /proc, Postgres itself refuses to start while one is left. */
function workersIn(data: string): ProcessMark[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => worksIn(pid, data))
    .flatMap((pid) => markOf(pid) ?? []);
}
