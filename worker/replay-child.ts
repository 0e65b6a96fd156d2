// Replays histories for its parent, one at a time, and answers with the facts they tell.
import proto from "@temporalio/proto";
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import type { Fact } from "../contract/fact.js";
import { builtFile } from "../package-root.js";
import { createPayloadCodec } from "../payload-codec.js";
import { endWithParent } from "./orphan-guard.js";
import type { ReplayAnswer, ReplayRequest } from "./replayer.js";
import { narrationSinks } from "./sinks.js";

endWithParent();
Runtime.install({ logger: new DefaultLogger("ERROR", () => undefined) });
const home = process.env.LONGHAUL_HOME;
if (!home) throw new Error("LONGHAUL_HOME is not set.");
const codec = await createPayloadCodec(home);

process.on("disconnect", () => process.exit(0));
process.on("message", (request: ReplayRequest) => {
  void replay(request).then((answer) => process.send?.(answer));
});

async function replay({ id, runId, history }: ReplayRequest): Promise<ReplayAnswer> {
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
