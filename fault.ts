import { readFileSync, rmSync } from "node:fs";

/** Moments between two steps of something that must hold together. */
export type FaultPoint =
  /** The journal says that an effect begins; nothing is done yet. Detail: the step's number. */
  | "activity:begun"
  /** The effect is there, and nobody has written so. Detail: the step's number. */
  | "activity:done"
  /** Its outcome is in the journal, and Temporal does not know. Detail: the step's number. */
  | "activity:recorded"
  /** A file of the run's tree is written beside its place, and is not in it. Detail: its name. */
  | "file:written"
  /** The same of an artifact. Detail: its name. */
  | "artifact:written"
  /** Temporal runs what a request asked for, and no row says so. No detail. */
  | "api:started";

/** Read once: outside of tests this is never anything else than undefined. */
const orders = process.env.NODE_ENV === "test" ? process.env.LONGHAUL_FAULT : undefined;

/**
 * A place where a test may have this process end as by `kill -9`: it does when the file that LONGHAUL_FAULT names
 * says exactly `<point> <detail>`. The file is removed first, so it happens once. Without NODE_ENV=test nothing happens.
 */
export function faultPoint(point: FaultPoint, detail: string | number = ""): void {
  if (orders === undefined || ordered(orders) !== `${point} ${detail}`.trim()) return;
  rmSync(orders, { force: true });
  process.kill(process.pid, "SIGKILL");
}

function ordered(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
