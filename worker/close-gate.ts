import type { Fact } from "../contract/fact.js";
import type { NarrationWriter } from "./narration-writer.js";

/**
 * The gate at a run's end: opens when all that the run has told is in Postgres, and its ending last.
 *
 * What a dead worker has lost the writer gets by replay. With Postgres away it waits, for as long as it takes.
 *
 * @throws the signal's reason when it is aborted.
 */
export async function closeGate(writer: NarrationWriter, final: Fact, signal: AbortSignal): Promise<void> {
  const { run_id, execution, seq } = final;
  for (;;) {
    signal.throwIfAborted();
    writer.tell(final);
    if ((await writer.flushed(run_id, execution)) >= seq) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
