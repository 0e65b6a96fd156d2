import { readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, readMark } from "../../local/process-mark.js";

/** Every test run works in one folder of this name under the system's folder for temporary files. */
export const PREFIX = "longhaul-tests-";

/** Removes the folders of test runs that were killed, with the servers that still work in them. */
export function sweepDeadRuns(): void {
  for (const name of readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX))) {
    const folder = join(tmpdir(), name);
    const owner = readMark(join(folder, "owner"));
    // Without a mark it was made this very moment.
    if (!owner || isAlive(owner)) continue;
    endAllBelow(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Kills every process that names a path below this folder in its command: the servers are started so. */
export function endAllBelow(folder: string): void {
  for (const pid of processes()) {
    try {
      if (pid === process.pid || !readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${folder}/`)) continue;
      process.kill(pid, "SIGKILL");
    } catch {
      // Gone meanwhile.
    }
  }
}

/** Empty where there is no /proc: there an interrupted run leaves its servers to the next start. */
function processes(): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}
