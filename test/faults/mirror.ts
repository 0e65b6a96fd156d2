import { Client, Connection } from "@temporalio/client";
import pg from "pg";
import { pino } from "pino";
import { openDatabase } from "../../db/database.js";
import { createPayloadCodec } from "../../payload-codec.js";
import { rebuild } from "../../worker/rebuild.js";
import { Replayer } from "../../worker/replayer.js";
import type { Evidence } from "./checker.js";
import type { Harness } from "./harness.js";

const TABLES = [
  "runs",
  "steps",
  "step_attempts",
  "comments",
  "artifacts",
  "checkpoints",
  "agent_sessions",
  "tool_calls",
  "approval_answers",
  "log_chunks",
  "events",
];
/** Of the projection's own making: a moment of writing, not a fact. */
const OWN = ["id", "txid", "xid", "place", "written_at", "updated_at"];

/** The projection as it is and as it is made again from Temporal and the runs' folders; the stack is down afterwards. */
export async function compareRebuilt(harness: Harness): Promise<NonNullable<Evidence["rebuilt"]>> {
  await harness.stack.stop();
  harness.stack = await harness.startBare();
  const { databaseUrl, temporalAddress } = harness.stack;
  const before = await rowsOf(databaseUrl);

  const connection = await Connection.connect({ address: temporalAddress });
  const db = openDatabase(databaseUrl);
  const replayer = new Replayer({ home: harness.home, log: pino({ level: "silent" }) });
  try {
    const dataConverter = { payloadCodecs: [await createPayloadCodec(harness.home)] };
    const client = new Client({ connection, dataConverter });
    await rebuild({ db, databaseUrl, client, replayer, say: () => {} });
  } finally {
    replayer.stop();
    await Promise.all([db.close(), connection.close()]);
  }
  return { before, after: await rowsOf(databaseUrl) };
}

/** Drop the projection's schema with all that is in it, whoever uses it. */
export async function dropMirror(url: string): Promise<void> {
  await withPostgres(url, (client) => client.query("drop schema mirror cascade"));
}

/** Every row as a line. Ids that count insertions are left out where a row has others. */
export function rowsOf(url: string): Promise<string[]> {
  return withPostgres(url, async (client) => {
    const lines: string[] = [];
    for (const table of TABLES) {
      const { rows } = await client.query<{ row: Record<string, unknown> }>(`select to_jsonb(t) as row from mirror.${table} t`);
      for (const { row } of rows) lines.push(`${table} ${line(row)}`);
    }
    return lines;
  });
}

async function withPostgres<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function line(row: Record<string, unknown>): string {
  const kept = Object.entries(row).filter(([name, value]) => !OWN.includes(name) || (name === "id" && typeof value === "string"));
  return JSON.stringify(Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))));
}
