import { once } from "node:events";
import type { PayloadCodec } from "@temporalio/common";
import proto from "@temporalio/proto";
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import type { Fact } from "../contract/fact.js";
import { builtFile } from "../package-root.js";
import { createPayloadCodec } from "../payload-codec.js";
import { endWithParent } from "./orphan-guard.js";
import { type BatchRequest, replayBatch } from "./replay-batch.js";
import type { ReplayAnswer, ReplayRequest } from "./replayer.js";
import { narrationSinks } from "./sinks.js";

/** Replays histories for its parent, one at a time or in batches, and answers with the facts they tell. */
export async function main(): Promise<void> {
  endWithParent();
  // A history that does not fit is an answer like any other: nothing is to be said of it besides.
  const quiet = { logging: { filter: "off" } };
  Runtime.install({ logger: new DefaultLogger("ERROR", () => undefined), telemetryOptions: quiet });
  const home = process.env.LONGHAUL_HOME;
  if (!home) throw new Error("LONGHAUL_HOME is not set.");
  const codec = await createPayloadCodec(home);
  process.on("message", (request: ReplayRequest | BatchRequest) => {
    if ("batch" in request) void answerBatch(request, codec);
    else void replay(request, codec).then((answer) => process.send?.(answer));
  });
  await once(process, "disconnect");
}

async function answerBatch(request: BatchRequest, codec: PayloadCodec): Promise<void> {
  for await (const answer of replayBatch(request, codec)) process.send?.(answer);
}

async function replay({ id, runId, history }: ReplayRequest, codec: PayloadCodec): Promise<ReplayAnswer> {
  const facts: Fact[] = [];
  try {
    await Worker.runReplayHistory(
      {
        workflowBundle: { codePath: builtFile("workflow-host.cjs") },
        dataConverter: { payloadCodecs: [codec] },
        reuseV8Context: false,
        replayName: runId,
        sinks: narrationSinks((fact, isReplaying) => {
          if (isReplaying) facts.push(fact);
        }),
      },
      proto.temporal.api.history.v1.History.decode(history),
      runId,
    );
    return { id, facts };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
    return { id, error: { name, message } };
  }
}
