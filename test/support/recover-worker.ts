import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { Journal } from "../../activities/journal.js";
import { recoverJournal } from "../../activities/recover.js";
import { type ShellInput, shell } from "../../activities/shell.js";
import type { Call } from "../../contract/activity.js";
import { createPayloadCodec } from "../../payload-codec.js";

/** A worker that does shell steps and looks, to be killed. It knows of the open runs that its further arguments name. Says `ready` when it has settled what another one left. */
const [, , address = "", home = "", taskQueue = "", codePath = ""] = process.argv;
Runtime.install({ logger: new DefaultLogger("ERROR") });

const journal = new Journal(join(home, "journal"));
const dataConverter = { payloadCodecs: [await createPayloadCodec(home)] };
const deps = { journal, log: { async append() {} }, heartbeatMs: 1000, graceMs: 300 };
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  workflowBundle: { codePath },
  dataConverter,
  stickyQueueScheduleToStartTimeout: "10 seconds",
  activities: {
    async unrecorded() {
      const looked = join(home, "looked");
      if (existsSync(looked)) return "seen";
      writeFileSync(looked, "");
      return new Promise(() => {});
    },
    async shell(call: Call<ShellInput>) {
      const outcome = await shell(deps, call);
      const held = join(home, "held");
      if (!call.input.command.includes("hold") || existsSync(held)) return outcome;
      writeFileSync(held, ""); // recorded, and not reported
      return new Promise(() => {});
    },
  },
});
const done = worker.run();
const connection = await Connection.connect({ address });
const recovered = await recoverJournal({
  journal,
  connection,
  namespace: "default",
  dataConverter,
  identity: "test",
  openRuns: process.argv.slice(6).map((workflowId) => ({ workflowId })),
  graceMs: 300,
});
console.log(`ready ${JSON.stringify(recovered)}`);
await done;
