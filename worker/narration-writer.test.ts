import { sql } from "drizzle-orm";
import { pino } from "pino";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import type { Fact } from "../contract/fact.js";
import type { Database } from "../db/database.js";
import { lockRuns } from "../db/projection-load.js";
import * as told from "../test/support/told-run.js";
import { NarrationWriter } from "./narration-writer.js";

let db: Database;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ db, close } = await told.preparedDatabase());
});

afterAll(() => close());

/** A writer, and what it did: transactions begun, and facts written of each run. */
function writing(replay: (runId: string) => Fact[] | Promise<Fact[]> = () => []) {
  const written = new Map<string, number[]>();
  const onWritten = (runId: string, facts: readonly Fact[]) => {
    written.set(runId, [...(written.get(runId) ?? []), ...facts.map(({ seq }) => seq)]);
  };
  const transactions = vi.spyOn(db.orm, "transaction");
  const writer = new NarrationWriter({ db, replay: async (runId) => replay(runId), onWritten, log: pino({ enabled: false }) });
  onTestFinished(async () => {
    transactions.mockRestore();
    await writer.stop(1_000);
  });
  return { writer, written, transactions };
}

async function statusOf(runId: string): Promise<{ status: string; events: number } | undefined> {
  const { rows } = await db.orm.execute<{ status: string; events: number }>(sql`
    select status, (select count(*)::int from mirror.events e where e.run_id = r.id) as events from mirror.runs r where id = ${runId}`);
  return rows[0];
}

test("what many runs tell at the same time is written together, each in its order", async () => {
  const { writer, written, transactions } = writing();
  const runs = Array.from({ length: 30 }, (_, i) => `run_m${i}`);
  const facts = new Map(runs.map((run) => [run, told.eventfulRun(run, "e1")]));
  for (let i = 0; i < 27; i++) for (const run of runs) writer.tell((facts.get(run) ?? [])[i] as Fact);
  expect(writer.isBusy).toBe(true);

  expect(await Promise.all(runs.map((run) => writer.flushed(run, "e1")))).toEqual(runs.map(() => 27));
  expect(transactions.mock.calls.length).toBeLessThan(5);
  const alone = await statusOf("run_m0");
  expect(alone).toMatchObject({ status: "completed" });
  for (const run of runs) {
    expect(written.get(run)).toEqual(Array.from({ length: 27 }, (_, i) => i + 1));
    expect(await statusOf(run)).toEqual(alone);
  }
});

test("a run with a gap is told again by its replay, and delays nobody", async () => {
  const whole = told.eventfulRun("run_gap", "e1");
  const { writer } = writing(() => whole);
  for (const fact of whole.slice(20)) writer.tell(fact);
  for (const fact of told.eventfulRun("run_next", "e1")) writer.tell(fact);
  expect(await writer.flushed("run_next", "e1")).toBe(27);
  expect(await writer.flushed("run_gap", "e1")).toBe(27);
  expect((await statusOf("run_gap"))?.events).toBe((await statusOf("run_next"))?.events);
});

test("what a run tells while it is seen to alone, and nobody else tells anything, is written afterwards", async () => {
  const whole = told.eventfulRun("run_meanwhile", "e1");
  let answer: ((facts: Fact[]) => void) | undefined;
  const { writer } = writing(() => new Promise((resolve) => (answer = resolve)));
  for (const fact of whole.slice(20, 24)) writer.tell(fact);
  await vi.waitFor(() => expect(answer).toBeDefined(), 20_000);
  for (const fact of whole.slice(24)) writer.tell(fact);
  answer?.(whole.slice(0, 20));
  expect(await writer.flushed("run_meanwhile", "e1")).toBe(27);

  for (const fact of told.eventfulRun("run_later", "e1")) writer.tell(fact);
  expect(await writer.flushed("run_later", "e1")).toBe(27);
});

test("a run that somebody holds waits alone", { timeout: 60_000 }, async () => {
  const { writer } = writing();
  for (const fact of told.eventfulRun("run_held", "e1").slice(0, 5)) writer.tell(fact);
  await writer.flushed("run_held", "e1");

  let letGo = () => {};
  const held = db.orm.transaction(async (tx) => {
    await lockRuns(tx, ["run_held"]);
    await new Promise<void>((resolve) => {
      letGo = resolve;
    });
  });
  for (const fact of told.eventfulRun("run_held", "e1").slice(5)) writer.tell(fact);
  for (const fact of told.eventfulRun("run_free", "e1")) writer.tell(fact);
  expect(await writer.flushed("run_free", "e1")).toBe(27);
  expect(await statusOf("run_held")).not.toMatchObject({ status: "completed" });
  letGo();
  await held;
  expect(await writer.flushed("run_held", "e1")).toBe(27);
});

test("what cannot be written is tried again alone, and others go on", async () => {
  const { writer } = writing();
  const [created, ...more] = told.eventfulRun("run_bad", "e1") as [Fact, ...Fact[]];
  writer.tell(created);
  await writer.flushed("run_bad", "e1");
  await db.orm.execute(sql`alter table mirror.steps add constraint bad check (run_id <> 'run_bad')`);
  for (const fact of more) writer.tell(fact);
  for (const fact of told.eventfulRun("run_good", "e1")) writer.tell(fact);
  expect(await writer.flushed("run_good", "e1")).toBe(27);
  expect(await statusOf("run_bad")).not.toMatchObject({ status: "completed" });

  await db.orm.execute(sql`alter table mirror.steps drop constraint bad`);
  expect(await writer.flushed("run_bad", "e1")).toBe(27);
});

test("two executions of a run are written one after the other", async () => {
  const { writer } = writing();
  for (const fact of told.eventfulRun("run_two", "e1").slice(0, 12)) writer.tell(fact);
  for (const fact of told.eventfulRun("run_two", "e2"))
    writer.tell(fact.type === "run.created" ? { ...fact, continues: "e1" } : fact);
  expect(await Promise.all([writer.flushed("run_two", "e1"), writer.flushed("run_two", "e2")])).toEqual([12, 27]);
  expect(await statusOf("run_two")).toMatchObject({ status: "completed" });
});
