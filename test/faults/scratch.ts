import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Harness, type HarnessOptions } from "./harness.js";

/** Do something with a harness in a folder of its own, and leave nothing of it: not when it fails, not on Ctrl-C. */
export async function withHarness<T>(
  name: string,
  work: (harness: Harness) => Promise<T>,
  options: Omit<HarnessOptions, "folder"> = {},
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), `longhaul-${name}-`));
  // Postgres runs as another user when we are root.
  chmodSync(folder, 0o711);
  const told = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => reject(new Error(`Ended by ${signal}.`)));
  });
  try {
    const harness = await Harness.start({ ...options, folder });
    try {
      return await Promise.race([work(harness), told]);
    } finally {
      await harness.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
