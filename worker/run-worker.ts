import { Client, Connection } from "@temporalio/client";
import type { PayloadCodec } from "@temporalio/common";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import type { Logger } from "pino";
import { createActivities } from "../activities/index.js";
import { Journal } from "../activities/journal.js";
import { recoverJournal } from "../activities/recover.js";
import { type Config, TASK_QUEUE } from "../config.js";
import type { Fact } from "../contract/fact.js";
import { recordAudit } from "../db/audit.js";
import { openDatabase } from "../db/database.js";
import { projectPathOf } from "../db/executions.js";
import { builtFile } from "../package-root.js";
import { createPayloadCodec } from "../payload-codec.js";
import { closeGate } from "./close-gate.js";
import { NarrationWriter } from "./narration-writer.js";
import { Reconciler } from "./reconcile.js";
import { Replayer } from "./replayer.js";
import { narrationSinks } from "./sinks.js";

export interface RunningWorker {
  /** Resolves when the worker has stopped, by `stop` or by itself. */
  done: Promise<void>;
  stop(): Promise<void>;
}
