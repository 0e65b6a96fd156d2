// `npm run rebuild`: drops the projection and makes it again, while no server runs on this home.
import { Client, Connection } from "@temporalio/client";
import { pino } from "pino";
import { readConfig } from "../config.js";
import { openDatabase } from "../db/database.js";
import { createPayloadCodec } from "../payload-codec.js";
import { rebuild } from "../worker/rebuild.js";
import { Replayer } from "../worker/replayer.js";
import { startStack } from "./stack.js";

const say = (line: string) => console.error(line);
try {
  const config = readConfig();
  const stack = await startStack(config, { worker: null, api: null, temporalUi: false, log: say });
  try {
    const connection = await Connection.connect({ address: stack.temporalAddress });
    const dataConverter = { payloadCodecs: [await createPayloadCodec(stack.home)] };
    const client = new Client({ connection, namespace: config.temporalNamespace, dataConverter });
    const db = openDatabase(stack.databaseUrl);
    const replayer = new Replayer({ home: stack.home, log: pino({ level: config.log }) });
    try {
      const report = await rebuild({ db, databaseUrl: stack.databaseUrl, client, replayer, say });
      console.log(`${report.runs} runs rebuilt, ${report.renumbered.length} with new event numbers, ${report.lost.length} not.`);
    } finally {
      replayer.stop();
      await Promise.all([db.close(), connection.close()]);
    }
  } finally {
    await stack.stop();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
