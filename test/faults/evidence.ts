import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import pg from "pg";
import { pino } from "pino";
import { isFinished } from "../../contract/run.js";
import { openDatabase } from "../../db/database.js";
import { unsettledExecutions } from "../../db/executions.js";
import { createPayloadCodec } from "../../payload-codec.js";
import { rebuild } from "../../worker/rebuild.js";
import { Replayer } from "../../worker/replayer.js";
import type { Evidence, RunEvidence, SeenStep } from "./checker.js";
import type { Harness, WatchedRun } from "./harness.js";
import { countedLines, leftoversBelow, processesOf } from "./traces.js";

/** Something that was answered with 201, and what it must still be: a comment's text, an artifact's sha256. */
export interface Promised {
  run_id: string;
  kind: "comment" | "artifact";
  id: string;
  wanted: string;
}

export interface GatherOptions {
  promised?: readonly Promised[];
  /** Start a run of 3 steps to see that all works. @default true */
  afterwards?: boolean;
  /** Stop everything at the end, rebuild the projection and compare. @default false */
  rebuilt?: boolean;
}

const QUIET_MS = 2_000;
const LONGEST_MS = 60_000;

/** Wait until nothing changes any more, then look at everything there is. With `rebuilt` the stack is down afterwards. */
export async function gather(harness: Harness, options: GatherOptions = {}): Promise<Evidence> {
  const { promised = [], afterwards = true, rebuilt = false } = options;
  const sound = afterwards ? await threeSteps(harness) : null;
  await quiet(harness);

  const connection = await Connection.connect({ address: harness.stack.temporalAddress });
  const rows = await harness.client.all("/api/runs");
  const runs: RunEvidence[] = [];
  try {
    const temporal = new Client({ connection });
    for (const run of harness.runs) {
      runs.push({
        run_id: run.id,
        rows: rows.filter(({ id }) => id === run.id),
        executions: await executionsOf(temporal, run.id),
        steps: await stepsOf(harness, run.id),
        events: run.stream.seen,
        promised: await Promise.all(promised.filter(({ run_id }) => run_id === run.id).map((one) => readBack(harness, one))),
        counter: run.counter === null ? null : countedLines(run.counter),
        expected: expectedOf(run),
      });
    }
  } finally {
    await connection.close();
  }
  const over = rows.filter(({ status }) => isFinished(status)).map(({ id }): string => id);
  return {
    runs,
    kills: harness.kills,
    processes: processesOf(over),
    leftovers: [...leftoversBelow(harness.project.path), ...leftoversBelow(harness.home)].filter(
      (path) => path !== `${harness.home}/lock`,
    ),
    afterwards: sound,
    rebuilt: rebuilt ? await compareRebuilt(harness) : null,
  };
}

async function threeSteps(harness: Harness): Promise<Evidence["afterwards"]> {
  const began = Date.now();
  const run = await harness.count("count-shell", 3);
  await harness.client.finished(run.id, 60_000);
  const { body } = await harness.client.insist("GET", `/api/runs/${run.id}`);
  return { status: body.data.status, ms: Date.now() - began };
}

/** No new event for 2 s, and no closed run that is still to be settled and tidied; after a minute, as it is. */
async function quiet(harness: Harness): Promise<void> {
  const db = openDatabase(harness.stack.databaseUrl);
  try {
    let [last, since] = ["", Date.now()];
    for (const end = Date.now() + LONGEST_MS; Date.now() < end && Date.now() - since < QUIET_MS; await sleep(100)) {
      const unsettled = await unsettledExecutions(db, { finished: true });
      const now = [unsettled.length, ...harness.runs.map(({ stream }) => stream.seen.length)].join();
      if (now !== last || unsettled.length > 0) [last, since] = [now, Date.now()];
    }
  } finally {
    await db.close();
  }
}

async function executionsOf(temporal: Client, runId: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { status } of temporal.workflow.list({ query: `WorkflowId = "${runId}"` })) found.push(status.name);
  // A run that was continued is one all the same.
  return found.filter((status) => status !== "CONTINUED_AS_NEW");
}

/** A step at its first attempt has lost none. */
async function stepsOf(harness: Harness, runId: string): Promise<SeenStep[]> {
  const steps: SeenStep[] = [];
  for (const step of await harness.client.all(`/api/runs/${runId}/steps`)) {
    const attempts =
      step.attempt === 1
        ? [{ number: 1, status: step.status }]
        : (await harness.client.insist("GET", `/api/steps/${step.id}`)).body.data.attempts;
    steps.push({ ...step, attempts });
  }
  return steps;
}

async function readBack({ client }: Harness, { run_id, kind, id, wanted }: Promised): Promise<RunEvidence["promised"][number]> {
  const found = async () => {
    if (kind === "comment") return (await client.all(`/api/runs/${run_id}/comments`)).find((one) => one.id === id)?.text ?? null;
    const response = await fetch(`${client.url}/api/artifacts/${id}/download`, {
      headers: { authorization: `Bearer ${client.token}` },
    });
    if (!response.ok) return null;
    return createHash("sha256")
      .update(new Uint8Array(await response.arrayBuffer()))
      .digest("hex");
  };
  return { kind, id, wanted, found: await found() };
}

function expectedOf({ workflow, steps }: WatchedRun): Map<number, unknown> {
  const expected = new Map<number, unknown>();
  for (let n = 1; n <= steps; n++) {
    if (workflow === "count-shell") expected.set(n, { stderr: "", stdout: `done ${n}\n`, exitCode: 0 });
    if (workflow === "count-activity") expected.set(n, `done ${n}`);
  }
  return expected;
}

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
  const before = await dump(databaseUrl);

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
  return { before, after: await dump(databaseUrl) };
}

/** Every row as a line. Ids that count insertions are left out where a row has others. */
async function dump(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    const lines: string[] = [];
    for (const table of TABLES) {
      const { rows } = await client.query<{ row: Record<string, unknown> }>(`select to_jsonb(t) as row from mirror.${table} t`);
      for (const { row } of rows) lines.push(`${table} ${line(row)}`);
    }
    return lines;
  } finally {
    await client.end();
  }
}

function line(row: Record<string, unknown>): string {
  const kept = Object.entries(row).filter(([name, value]) => !OWN.includes(name) || (name === "id" && typeof value === "string"));
  return JSON.stringify(Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))));
}
