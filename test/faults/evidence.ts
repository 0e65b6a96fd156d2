import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import proto from "@temporalio/proto";
import { isFinished } from "../../contract/run.js";
import { openDatabase } from "../../db/database.js";
import { unsettledExecutions } from "../../db/executions.js";
import { type Evidence, type RunEvidence, type SeenStep, tally } from "./checker.js";
import type { Harness, WatchedRun } from "./harness.js";
import { compareRebuilt } from "./mirror.js";
import { noteFindings } from "./tally.js";
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
  /** Stop everything at the end, rebuild the projection and compare; or what was compared before. @default false */
  rebuilt?: boolean | Evidence["rebuilt"];
}

const QUIET_MS = 2_000;
const LONGEST_MS = 60_000;

/** Wait until nothing changes any more, then look at everything there is. With `rebuilt: true` the stack is down afterwards. */
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
        ...(await executionsOf(temporal, run.id)),
        steps: await stepsOf(harness, run.id),
        events: run.stream.seen,
        promised: await readBack(
          harness,
          run.id,
          promised.filter(({ run_id }) => run_id === run.id),
        ),
        counter: run.counter === null ? null : countedLines(run.counter),
        expected: expectedOf(run),
      });
    }
  } finally {
    await connection.close();
  }
  const over = rows.filter(({ status }) => isFinished(status)).map(({ id }): string => id);
  const evidence: Evidence = {
    runs,
    kills: harness.kills,
    processes: processesOf(over),
    leftovers: [...leftoversBelow(harness.project.path), ...leftoversBelow(harness.home)].filter(
      (path) => path !== `${harness.home}/lock`,
    ),
    afterwards: sound,
    rebuilt: rebuilt === true ? await compareRebuilt(harness) : rebuilt || null,
  };
  noteFindings(harness, evidence);
  return evidence;
}

async function threeSteps(harness: Harness): Promise<Evidence["afterwards"]> {
  const began = Date.now();
  const run = await harness.count("count-shell", 3);
  await harness.client.finished(run.id, 60_000);
  const { body } = await harness.client.insist("GET", `/api/runs/${run.id}`);
  return { status: body.data.status, ms: Date.now() - began };
}

/** No new event for 2 s, and no closed run that is still to be settled and tidied; after a minute, as it is. */
export async function quiet(harness: Harness): Promise<void> {
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

async function executionsOf(temporal: Client, runId: string): Promise<Pick<RunEvidence, "executions" | "refused">> {
  const executions: string[] = [];
  const refused: string[] = [];
  for await (const { status, runId: execution } of temporal.workflow.list({ query: `WorkflowId = "${runId}"` })) {
    // A run that was continued is one all the same.
    if (status.name !== "CONTINUED_AS_NEW") executions.push(status.name);
    refused.push(...(await refusedTasks(temporal, runId, execution)));
  }
  return { executions, refused };
}

const { WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;
/** Others are Temporal's own affair, such as a task that a signal has overtaken. */
const OF_THE_CODE = [
  WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
  WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
];

async function refusedTasks(temporal: Client, runId: string, execution: string): Promise<string[]> {
  const { events } = await temporal.workflow.getHandle(runId, execution).fetchHistory();
  return (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) =>
    failed?.cause && OF_THE_CODE.includes(failed.cause) ? [failed.failure?.message ?? WorkflowTaskFailedCause[failed.cause]] : [],
  );
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

async function readBack(harness: Harness, runId: string, promised: readonly Promised[]): Promise<RunEvidence["promised"]> {
  if (promised.length === 0) return [];
  const { client } = harness;
  const comments: { id: string; text: string }[] = await client.all(`/api/runs/${runId}/comments`);
  const artifacts: { id: string; sha256: string }[] = await client.all(`/api/runs/${runId}/artifacts`);
  const texts = new Map(comments.map(({ id, text }) => [id, text]));
  const contents = { comment: tally(comments.map(({ text }) => text)), artifact: tally(artifacts.map(({ sha256 }) => sha256)) };
  return Promise.all(
    promised.map(async ({ kind, id, wanted }) => ({
      kind,
      id,
      wanted,
      found: kind === "comment" ? (texts.get(id) ?? null) : await downloadedHash(harness, id),
      times: contents[kind].get(wanted) ?? 0,
    })),
  );
}

async function downloadedHash({ client }: Harness, artifactId: string): Promise<string | null> {
  const response = await fetch(`${client.url}/api/artifacts/${artifactId}/download`, {
    headers: { authorization: `Bearer ${client.token}` },
  });
  if (!response.ok) return null;
  return createHash("sha256")
    .update(new Uint8Array(await response.arrayBuffer()))
    .digest("hex");
}

function expectedOf({ workflow, steps }: WatchedRun): Map<number, unknown> {
  const expected = new Map<number, unknown>();
  for (let n = 1; n <= steps; n++) {
    if (workflow === "count-shell") expected.set(n, { stderr: "", stdout: `done ${n}\n`, exitCode: 0 });
    if (workflow === "count-activity") expected.set(n, `done ${n}`);
  }
  return expected;
}
