import { pino } from "pino";
import { readConfig } from "../config.js";
import { runWorker } from "../worker/run-worker.js";
import { bypassProxyOnLoopback } from "./loopback.js";
import { untilTold } from "./parent.js";

/** Takes what runs have to do, until its parent tells it to stop or is gone. */
export async function main(): Promise<void> {
  const told = untilTold();
  bypassProxyOnLoopback();
  const config = readConfig();
  const log = pino({ level: config.log });
  const { databaseUrl, temporalAddress } = config;
  if (!databaseUrl || !temporalAddress) {
    throw new Error("DATABASE_URL and TEMPORAL_ADDRESS must be set: the worker is started by `npm start`, or with both.");
  }

  const worker = await runWorker({ ...config, databaseUrl, temporalAddress }, log);
  log.info("The worker takes work.");
  const why = await Promise.race([told, worker.done.then(() => "the worker ended by itself")]);
  log.info(`The worker stops: ${why}.`);
  await worker.stop();
}
