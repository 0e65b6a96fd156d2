import { Worker } from "node:worker_threads";

/**
 * Ends this process soon after its parent is gone, from a thread of its own: the main thread may be in
 * user code that never ends.
 */
export function endWithParent(): void {
  const watch = `
    const parent = process.ppid;
    setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, 1000);`;
  new Worker(watch, { eval: true }).unref();
}
