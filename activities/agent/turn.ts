import { guard } from "../launcher.js";
import type { Marks } from "../marks.js";
import { recordStart, sweep } from "../sweep.js";
import type { AgentRequest } from "./provider.js";

/** Milliseconds between TERM and KILL. */
const GRACE_MS = 3_000;

/** One turn's processes. */
export interface Turn {
  /** Aborts when the turn was stopped and all its processes have ended. */
  aborted: AbortController;
  /** To be called with each process that is started, the leader of its group. */
  started(pid: number): void;
}

/** A lost worker's agent may still be at work in the session: it ends before the session is looked at. */
export async function endEarlier(request: Pick<AgentRequest, "marks">): Promise<void> {
  await sweep(everyWorkers(request.marks), GRACE_MS);
}

/**
 * Do a turn's work. All its processes end with it: when it is stopped by the signal, when it is over, when this process dies.
 *
 * @returns what the work threw; undefined when it threw nothing.
 */
export async function superviseTurn(
  { marks, signal }: Pick<AgentRequest, "marks" | "signal">,
  work: (turn: Turn) => Promise<void>,
): Promise<unknown> {
  const own = everyWorkers(marks);
  const aborted = new AbortController();
  const overs: (() => void)[] = [];
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped = sweep(own, GRACE_MS).then(
      () => aborted.abort(),
      () => aborted.abort(),
    );
  };
  const started = (pid: number) => {
    const record = recordStart(marks, pid);
    overs.push(() => record.ended(), guard({ leader: pid, marks: own }));
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    await work({ aborted, started });
  } catch (error) {
    return error;
  } finally {
    signal.removeEventListener("abort", stop);
    await stopped; // it would take the next turn's processes for ours
    await sweep(own, GRACE_MS); // what an agent started does not outlive its turn
    for (const over of overs) over();
  }
  return undefined;
}

/** The attempt's marks but for its number, which each worker that tries it counts anew. */
function everyWorkers({ LONGHAUL_ATTEMPT: _, ...own }: Marks): Partial<Marks> {
  return own;
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 1_000) : "it said nothing.";
}
