import { Client, Connection } from "@temporalio/client";
import { pino } from "pino";
import type { Config } from "../config.js";
import { openDatabase } from "../db/database.js";
import { createPayloadCodec } from "../payload-codec.js";
import { type RebuildReport, rebuild } from "../worker/rebuild.js";
import { Replayer } from "../worker/replayer.js";
import { startStack } from "./stack.js";

/**
 * Drop the projection of a home and make it again, on its own servers, while no Longhaul runs on it.
 *
 * @param say told one line a run, and what the servers say.
 * @throws {Error} with the pid of the Longhaul that runs there.
 */
export async function rebuildHome(config: Config, say: (line: string) => void): Promise<RebuildReport> {
  const stack = await startStack(config, { worker: null, api: null, temporalUi: false, log: say });
  try {
    const connection = await Connection.connect({ address: stack.temporalAddress });
    const dataConverter = { payloadCodecs: [await createPayloadCodec(stack.home)] };
    const client = new Client({ connection, namespace: config.temporalNamespace, dataConverter });
    const db = openDatabase(stack.databaseUrl);
    const replayer = new Replayer({ home: stack.home, log: pino({ level: config.log }) });
    try {
      return await rebuild({ db, databaseUrl: stack.databaseUrl, client, replayer, say });
    } finally {
      replayer.stop();
      await Promise.all([db.close(), connection.close()]);
    }
  } finally {
    await stack.stop();
  }
}
