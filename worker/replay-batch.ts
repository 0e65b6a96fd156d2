import type { PayloadCodec } from "@temporalio/common";
import proto from "@temporalio/proto";
import { Worker } from "@temporalio/worker";
import type { Fact } from "../contract/fact.js";
import { builtFile } from "../package-root.js";
import { narrationSinks } from "./sinks.js";

export interface BatchRequest {
  id: number;
  /** Each of another run; histories encoded: `temporal.api.history.v1.History`. */
  batch: { runId: string; history: Uint8Array }[];
}

/** One for each history, in turn. What was told before an error is of use, too. */
export interface BatchAnswer {
  id: number;
  runId: string;
  facts: Fact[];
  error: string | null;
}

/** Characters of a reason that is not in Temporal's usual form. */
const MOST_WORDS = 300;

/** All that shows where a run has gone. */
const SHOWN: readonly Fact["type"][] = ["step.started", "step.finished", "run.finished", "run.continued"];

/**
 * Replay histories one after another with this build. Facts of a last, unfinished workflow task are told, too, though it is
 * no replay any more: who compares two replays sees the same of both.
 */
export async function* replayBatch({ id, batch }: BatchRequest, codec: PayloadCodec): AsyncGenerator<BatchAnswer> {
  const told = new Map<string, Fact[]>();
  const { History } = proto.temporal.api.history.v1;
  const results = Worker.runReplayHistories(
    {
      workflowBundle: { codePath: builtFile("workflow-host.cjs") },
      dataConverter: { payloadCodecs: [codec] },
      reuseV8Context: false,
      sinks: narrationSinks((fact) => {
        if (SHOWN.includes(fact.type)) told.set(fact.run_id, [...(told.get(fact.run_id) ?? []), fact]);
      }),
    },
    batch.map(({ runId, history }) => ({ workflowId: runId, history: History.decode(history) })),
  );
  for await (const { workflowId: runId, error } of results) {
    yield { id, runId, facts: told.get(runId) ?? [], error: error ? reasonOf(error.message) : null };
    told.delete(runId);
  }
}

/** What Temporal says of a history that does not fit, without what stands around it. */
function reasonOf(message: string): string {
  const said = /\[TMPRL\d+\] (?:Nondeterminism error: )?((?:[^"\\]|\\.)*?)"/.exec(message)?.[1];
  return said ?? message.slice(0, MOST_WORDS);
}
