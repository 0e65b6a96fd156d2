/** How long a child may take to end once its parent is gone, in milliseconds. */
const GRACE_MS = 30_000;

/**
 * Resolves when this process should end: told so by SIGTERM or SIGINT, or, under a supervisor (`processes.ts`), because
 * that is gone, which shows in standard input coming to its end. In the last case it is ended for good 30 s later.
 */
export function untilTold(): Promise<"signal" | "parent gone"> {
  const supervised = process.env.LONGHAUL_SUPERVISED === "1";
  // Not for the children of this process, whose input and memory are another matter.
  delete process.env.LONGHAUL_SUPERVISED;
  if (process.env.LONGHAUL_FEW_ARENAS === "1") delete process.env.MALLOC_ARENA_MAX;
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve("signal"));
    process.once("SIGINT", () => resolve("signal"));
    if (!supervised) return;

    const orphaned = () => {
      resolve("parent gone");
      setTimeout(() => process.exit(1), GRACE_MS).unref();
    };
    // Who read our output is gone, too; writing to nobody must not end us before our time.
    process.stdout.on("error", () => {});
    process.stderr.on("error", () => {});
    process.stdin.once("end", orphaned).once("close", orphaned).once("error", orphaned);
    process.stdin.resume();
    process.stdin.unref();
  });
}
