import pg from "pg";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { newId } from "../contract/id.js";
import { type Request, SIGNAL } from "../contract/messages.js";
import { type Longhaul, longhaul, type RunRow, type StartedRun } from "./support/longhaul.js";
import { type Ask, served } from "./support/served.js";

/** `npm run faults` fills a whole history, too. */
const long = process.env.LONGHAUL_FAULTS === "long";

const ITEMS = 30;
const LIST = `
name: list
steps:
  - { id: each, type: script, for_each: "{{ args.items }}", command: "echo {{ item }}" }
finally:
  - { id: tidy, type: script, command: "echo tidy" }`;
const items = Array.from({ length: ITEMS }, (_, i) => i + 1);

let stack: Longhaul;
let ask: Ask;
beforeAll(async () => {
  stack = await longhaul();
  ask = await served(stack);
});

/** The gate waits for Postgres: while nobody can write there it is open, and what comes then comes between two executions. */
describe("while a run passes to a further execution", { timeout: 180_000 }, () => {
  test("a pause is kept, and told by the next one, which begins nothing until it is resumed", async () => {
    const run = await passing();
    await run.meanwhile(() => signal(run, SIGNAL.pause));
    const paused = await run.until(({ status }) => status === "paused", 60_000);
    const executions = await executionsOf(run);
    expect(executions).toBe(2);
    expect(paused.steps.every(({ status }) => status === "completed")).toBe(true);
    await signal(run, SIGNAL.resume);
    const row = await run.finished(120_000);

    expect(row.status).toBe("completed");
    expectWhole(row, ITEMS + 1);
    expect(row.steps.slice(0, paused.steps.length)).toEqual(paused.steps);
    expect(await statusesOf(run)).toEqual(["pending", "running", "paused", "running", "completed"]);
  });

  test("a cancel ends the run there, after what is to be done in any case", async () => {
    const run = await passing();
    await run.meanwhile(() => stack.client.workflow.getHandle(run.id).cancel());
    const row = await run.finished(120_000);

    expect(row.status).toBe("cancelled");
    expect(await executionsOf(run)).toBe(1);
    expectWhole(row, row.steps.length);
    expect(row.steps.at(-1)).toMatchObject({ step_id: "tidy", output: { stdout: "tidy\n" } });
    expect(row.steps.length).toBeLessThan(ITEMS);
    expect(await statusesOf(run)).toEqual(["pending", "running", "cancelled"]);
  });

  test("a pause and then a cancel end the run as well", async () => {
    const run = await passing();
    await run.meanwhile(async () => {
      await signal(run, SIGNAL.pause);
      await stack.client.workflow.getHandle(run.id).cancel();
    });
    const row = await run.finished(120_000);

    expect(row).toMatchObject({ status: "cancelled" });
    expect(row.steps.at(-1)).toMatchObject({ step_id: "tidy", status: "completed" });
    expectWhole(row, row.steps.length);
  });
});

test("a run that is paused does what is to be done in any case when it is cancelled", async () => {
  const run = await stack.start(
    `
name: held
steps:
  - { id: first, type: script, command: "sleep 1" }
  - { id: never, type: script, command: "true" }
finally:
  - { id: tidy, type: script, command: "true" }`,
    { ending: ".yaml", in_place: true },
  );
  await run.until(({ steps }) => steps.some(({ status }) => status === "running"));
  await signal(run, SIGNAL.pause);
  await run.until(({ status, steps }) => status === "paused" && steps[0]?.status === "completed");
  await stack.client.workflow.getHandle(run.id).cancel();
  const row = await run.finished();

  expect(row.status).toBe("cancelled");
  expect(row.steps.map(({ step_id }) => step_id)).toEqual(["first", "tidy"]);
  expectWhole(row, 2);
});

describe("what is too large to be handed over", { timeout: 120_000 }, () => {
  test("stays, and the run comes to its end where it is", async () => {
    // As a text 0.75 million characters, and twice as many bytes.
    const run = await stack.start(LIST, {
      ending: ".yaml",
      input: { items, ballast: "é".repeat(760_000) },
      in_place: true,
      continue_after: 100,
    });
    const row = await run.finished(100_000);

    expect(row.status).toBe("completed");
    expect(await executionsOf(run)).toBe(1);
    expectWhole(row, ITEMS + 1);
  });

  test.runIf(long)("fails its run in order, and says why, when the history is full", { timeout: 900_000 }, async () => {
    const run = await stack.start(
      `
name: full
timeout: 0
steps:
  - { id: each, type: script, for_each: "{{ args.items }}", concurrency: 8, command: "x=$(head -c 14000 /dev/zero | tr '\\\\0' x); echo $x; echo $x >&2" }`,
      { ending: ".yaml", input: { items: Array.from({ length: 3_000 }, (_, i) => i) }, in_place: true, continue_after: 200 },
    );
    const row = await run.finished(800_000);

    expect(row).toMatchObject({ status: "failed", error: { type: "history_limit" } });
    expect(row.error_message).toContain("It cannot go on in a further execution: its plan, its input and what its steps gave");
  });
});

type PassingRun = StartedRun & {
  /** Do something while the gate is open; then let the run go on. */
  meanwhile(act: () => Promise<unknown>): Promise<void>;
};

/** A run whose gate is open, since nobody can write to its row. */
async function passing(): Promise<PassingRun> {
  const input = { items };
  const run = await stack.start(LIST, { ending: ".yaml", input, in_place: true, continue_after: 100 });
  await run.until(({ steps }) => steps.length > 0);
  const lock = new pg.Client({ connectionString: stack.config.databaseUrl });
  await lock.connect();
  await lock.query("begin");
  await lock.query("lock table mirror.runs in exclusive mode");
  await vi.waitFor(
    async () => {
      const { raw } = await stack.client.workflow.getHandle(run.id).describe();
      expect(raw.pendingActivities?.map(({ activityType }) => activityType?.name)).toEqual(["closeGate"]);
    },
    { timeout: 60_000, interval: 100 },
  );
  return {
    ...run,
    async meanwhile(act) {
      await act();
      await lock.query("rollback");
      await lock.end();
    },
  };
}

function signal({ id }: StartedRun, name: string): Promise<void> {
  const request: Request = { id: newId("req"), at: new Date().toISOString(), by: "local" };
  return stack.client.workflow.getHandle(id).signal(name, request);
}

/** How many of Temporal's executions there are, as the run's own table has them. */
async function executionsOf({ id }: StartedRun): Promise<number> {
  const { rows } = await stack.db.pool.query("select 1 from mirror.executions where run_id = $1", [id]);
  return rows.length;
}

/** Every step was told, in order and once, and none is open. */
function expectWhole({ steps }: RunRow, count: number): void {
  expect(steps.map(({ step_number, status }) => `${step_number} ${status}`)).toEqual(
    Array.from({ length: count }, (_, i) => `${i + 1} completed`),
  );
}

/** What the run's events said of its status; their numbers have no gap. */
async function statusesOf({ id }: StartedRun): Promise<string[]> {
  const events: { seq: number; type: string; data: { status: string } }[] = [];
  for (let cursor = ""; ; ) {
    const { body } = await ask("GET", `/api/runs/${id}/events?limit=100${cursor}`);
    events.push(...(body.data as typeof events));
    if (body.page.next_cursor === null) break;
    cursor = `&cursor=${body.page.next_cursor}`;
  }
  const inOrder = events.toReversed();
  expect(inOrder.map(({ seq }) => seq)).toEqual(inOrder.map((_, i) => i + 1));
  return inOrder.filter(({ type }) => type === "workflow.execution.status_changed").map(({ data }) => data.status);
}
