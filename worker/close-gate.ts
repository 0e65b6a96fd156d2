import type { Fact } from "../contract/fact.js";
import { type Database, isUnavailable } from "../db/database.js";
import { toldOf } from "../db/executions.js";
import { applyFacts } from "../db/projection.js";
import type { NarrationWriter } from "./narration-writer.js";

export interface CloseGateDeps {
  db: Database;
  writer: NarrationWriter;
  /** All facts of an execution up to now, by a replay. */
  replay: (runId: string, execution: string) => Promise<Fact[]>;
  /** Called with the ending once it is written. */
  onWritten: (runId: string, facts: readonly Fact[]) => void;
}

/**
 * The gate at a run's end: opens when all that the run has told is in Postgres, then writes the ending.
 *
 * What a dead worker has lost it gets by replay. With Postgres away it waits, for as long as it takes.
 *
 * @throws the signal's reason when it is aborted.
 */
export async function closeGate(deps: CloseGateDeps, final: Fact, signal: AbortSignal): Promise<void> {
  const { db, writer, replay, onWritten } = deps;
  const { run_id, execution, seq } = final;

  for (;;) {
    signal.throwIfAborted();
    try {
      await writer.flushed(run_id, execution);
      if ((await toldOf(db, run_id, execution)) < seq - 1)
        await applyFacts(db, run_id, execution, await replay(run_id, execution));
      const { gap } = await applyFacts(db, run_id, execution, [final]);
      if (!gap) break;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  onWritten(run_id, [final]);
}
