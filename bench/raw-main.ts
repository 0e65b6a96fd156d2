// Raw Temporal behind a plain HTTP route, as a process of its own: what Longhaul is measured against.
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import express from "express";
import { builtFile } from "../package-root.js";
import { tick } from "./raw-activity.js";

Runtime.install({ logger: new DefaultLogger("ERROR") });
const address = process.env.TEMPORAL_ADDRESS ?? "";
const client = new Client({ connection: await Connection.connect({ address }) });
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue: "raw",
  workflowBundle: { codePath: builtFile("bench/raw-bundle.cjs") },
  activities: { tick },
});

const app = express();
app.use(express.json());
app.post("/start", async (request, response) => {
  const { id, steps } = request.body as { id: string; steps: number };
  await client.workflow.start("ticks", { workflowId: id, taskQueue: "raw", args: [steps] });
  response.status(201).json({ id });
});
app.get("/result/:id", async (request, response) => {
  response.json(await client.workflow.getHandle(request.params.id).result());
});
const server = app.listen(Number(process.env.PORT), "127.0.0.1", () => process.send?.("ready"));

process.once("disconnect", () => worker.shutdown());
await worker.run();
server.closeAllConnections();
server.close();
process.exit(0);
