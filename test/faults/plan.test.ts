import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testFolder } from "../support/stack.js";
import { check } from "./checker.js";
import { PLANS } from "./definitions.js";
import { gather } from "./evidence.js";
import { Harness, type WatchedRun } from "./harness.js";
import { counterLines } from "./traces.js";

const REST_MS = 4_000;

/** A run, and the file that its steps write to. */
interface Writing extends WatchedRun {
  file: string;
}

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start({ folder: testFolder(), ownServers: true, definitions: PLANS });
});
afterAll(() => harness?.stop());

test.each([
  ["the worker is killed", "F2", () => harness.kill9("worker")],
  ["Temporal is killed and comes back", "F6", () => harness.servers?.temporal.outage(1_000)],
  ["all is killed, as by a loss of power, until a deadline is over", "F2, F6, F9, F13", lossOfPower],
])(
  "when %s, runs that wait go on waiting, and go on once when it comes (%s)",
  { timeout: 180_000 },
  async (_, _faults, befalls) => {
    const [asks, listens, delegates] = [await begin("asks"), await begin("listens"), await begin("delegates")];
    await until(() => counterLines(listens.file).length === 1);
    await tell(listens.id, "events/deployed", { url: "https://stage.example" });
    const child: string = await until(async () => (await stepsOf(delegates))[0]?.input.run_id);
    for (const id of [asks.id, child]) await until(async () => (await statusOf(id)) === "waiting");
    const rests = await begin("rests");
    await until(async () => (await statusOf(rests.id)) === "waiting");
    const decides = await begin("decides");
    const deadline: string = await until(async () => (await runOf(decides.id))?.waiting_for?.until);

    await befalls(Date.parse(deadline));
    writeFileSync(`${listens.file}.go`, "");
    for (const id of [asks.id, child]) await tell(id, "approvals/ask", { answer: "approve" });
    for (const { id } of [asks, listens, delegates, rests, decides]) await harness.client.finished(id);

    expect(await outcomesOf(asks)).toEqual(["before completed", "ask completed", "after completed"]);
    expect(counterLines(asks.file)).toEqual(["before", "local"]);
    expect(["requested", "answered"].map((what) => timesTold(asks, `workflow.approval.${what}`))).toEqual([1, 1]);
    expect(await outcomesOf(listens)).toEqual(["hold completed", "first completed", "second failed", "after completed"]);
    expect(counterLines(listens.file).filter((line) => line !== "held")).toEqual(["https://stage.example"]);
    expect(await outcomesOf(delegates)).toEqual(["child completed", "after completed"]);
    expect(counterLines(delegates.file)).toEqual(["before", "local", "completed"]);
    expect(counterLines(rests.file)).toEqual(["after"]);
    const [nap] = await stepsOf(rests);
    expect(Date.parse(nap.completed_at) - Date.parse(nap.started_at)).toBeGreaterThanOrEqual(REST_MS);
    expect(counterLines(decides.file)).toEqual(["true"]);
    const [ask] = await stepsOf(decides);
    expect(ask).toMatchObject({ status: "completed", output: { approved: true, by: null } });
    expect(Date.parse(ask.output.at)).toBeGreaterThanOrEqual(Date.parse(deadline));
    const reminders = decides.stream.seen.flatMap(({ type, data }) =>
      type === "workflow.approval.reminded" ? [data.reminder] : [],
    );
    expect(reminders).toEqual(reminders.map((_, i) => i + 1));
    for (const { id } of [asks, listens, delegates, rests, decides]) expect(await statusOf(id)).toBe("completed");
  },
);

test("a step that says `retry: false` and may have acted is not done again: the run fails and says so (F2)", async () => {
  const run = await begin("careful");
  await until(() => counterLines(run.file).length > 0);
  await harness.kill9("worker");
  await harness.client.finished(run.id);

  const { body } = await harness.client.insist("GET", `/api/runs/${run.id}`);
  expect(body.data).toMatchObject({ status: "failed", error: { type: "outcome_unknown", step_id: "deploy" } });
  expect(await outcomesOf(run)).toEqual(["deploy failed"]);
  expect(counterLines(run.file)).toEqual(["acted"]);
});

test("after all of this nothing is lost, left behind or told otherwise by a rebuild", { timeout: 120_000 }, async () => {
  expect(check(await gather(harness, { afterwards: false, rebuilt: true }))).toEqual([]);
});

/** Nothing runs before the deadline is over. */
async function lossOfPower(deadline: number): Promise<void> {
  await harness.killAll();
  await sleep(Math.max(0, deadline - Date.now()));
  await harness.startAgain();
}

async function begin(workflow: string): Promise<Writing> {
  const file = join(harness.folder, "counters", `${workflow}-${harness.runs.length}`);
  const run = await harness.begin(workflow, { file, rest: REST_MS }, { counter: null, steps: 0 });
  return { ...run, file };
}

/** Asks until it is answered well, as the same request: what was answered with 503 may have been heard. */
async function tell(runId: string, what: string, body: unknown): Promise<void> {
  const headers = { "idempotency-key": randomUUID() };
  await harness.client.insist("POST", `/api/runs/${runId}/${what}`, { body, headers });
}

/** Undefined for one that has no row yet. */
async function statusOf(runId: string): Promise<string | undefined> {
  return (await runOf(runId))?.status;
}

async function runOf(runId: string) {
  return (await harness.client.ask("GET", `/api/runs/${runId}`)).body?.data;
}

function stepsOf({ id }: WatchedRun) {
  return harness.client.all(`/api/runs/${id}/steps`);
}

async function outcomesOf(run: WatchedRun): Promise<string[]> {
  return (await stepsOf(run)).map(({ step_id, status }) => `${step_id} ${status}`);
}

function timesTold({ stream }: WatchedRun, type: string): number {
  return stream.seen.filter((event) => event.type === type).length;
}

/** What it gives once that is something. */
async function until<Value>(look: () => Value | Promise<Value>): Promise<NonNullable<Value>> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(20)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error("It did not come to this within a minute.");
}
