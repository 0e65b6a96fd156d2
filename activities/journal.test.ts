import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Journal, type JournalOptions, SupersededError } from "./journal.js";
import type { JournalKey } from "./journal-record.js";

const RUN = "run_1";
const key: JournalKey = { workflow_id: RUN, execution: "e-1", activity_id: "7" };
const outcome = (value: unknown) => ({ outcome: { value, started_at: "s", completed_at: "c", lost: [] } });

let folder: string;
let journal: Journal;
let made: Journal[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longhaul-journal-"));
  journal = make();
});

afterEach(async () => {
  await Promise.all(made.map((each) => each.stop()));
  made = [];
  rmSync(folder, { recursive: true, force: true });
});

function make(options: JournalOptions = {}): Journal {
  const another = new Journal(folder, options);
  made.push(another);
  return another;
}

const open = (attempt: number, by = journal) => by.open(RUN, `${RUN}-3`, key, attempt, "dG9rZW4=");
const files = () => readdirSync(folder).sort();

/** One step of some run: its execution is named like it. */
async function step(run: string, activity: number, by = journal): Promise<void> {
  const { record } = await begin(run, activity, by);
  await by.close(record, outcome(activity));
}

function begin(run: string, activity: number, by = journal) {
  return by.open(run, `${run}-${activity}`, { workflow_id: run, execution: run, activity_id: String(activity) }, 1, "");
}

async function again(run: string, activity: number, by = journal) {
  return by.open(run, `${run}-${activity}`, { workflow_id: run, execution: run, activity_id: String(activity) }, 2, "");
}

/** A journal whose process is dead, as all others see it. */
async function ofTheDead(segmentBytes = 1_000_000): Promise<Journal> {
  const child = spawn("true", { stdio: "ignore" });
  await new Promise((done) => child.once("exit", done));
  return make({ owner: { pid: child.pid ?? 0, started: "1", host: hostname() }, segmentBytes });
}

describe("journal", () => {
  test("gives a later attempt the outcome of an earlier one", async () => {
    const first = await open(1);
    await journal.close(first.record, outcome(42));

    const second = await open(2);

    expect(second.recorded).toEqual(outcome(42));
    expect(second.lost).toEqual([]);
  });

  test("gives back a recorded failure just so", async () => {
    const failure = { type: "shell_failed", message: "no", detail: { started_at: "s", completed_at: "c", lost: [] } };
    const first = await open(1);
    await journal.close(first.record, { failure });

    expect((await open(2)).recorded).toEqual({ failure });
  });

  test("counts attempts without an outcome as lost, in order", async () => {
    await open(1);
    await open(2);

    const third = await open(3);

    expect(third.recorded).toBeUndefined();
    expect(third.lost.map((lost) => lost.attempt)).toEqual([1, 2]);
  });

  test("refuses what a lower attempt writes", async () => {
    const first = await open(1);
    const second = await open(2);

    await expect(journal.close(first.record, outcome("late"))).rejects.toThrow(SupersededError);

    await journal.close(second.record, outcome("right"));
    expect((await open(3)).recorded).toEqual(outcome("right"));
  });

  test("keeps activities apart by Temporal run id", async () => {
    const first = await open(1);
    await journal.close(first.record, outcome(1));

    const reset = await journal.open(RUN, `${RUN}-3`, { ...key, execution: "e-2" }, 2, "");

    expect(reset.recorded).toBeUndefined();
  });

  test("takes no id that could be mistaken in its lines", async () => {
    await expect(journal.open('run","', "s", key, 1, "")).rejects.toThrow();
  });

  test("costs little: a hundred steps are opened and closed within a second", async () => {
    const began = performance.now();
    for (let i = 0; i < 100; i++) await step(RUN, i);

    expect(performance.now() - began).toBeLessThan(1000);
  });

  test("writes runs that are busy at the same time to one file", async () => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => step(`run_${i}`, 1)));

    expect(files()).toHaveLength(1);
    expect((await again("run_49", 1)).recorded).toEqual(outcome(1));
  });
});

describe("with other processes, the journal", () => {
  test("refuses what a lower attempt writes also when another one began the later attempt", async () => {
    const other = make({ owner: { pid: 1, started: "1", host: "elsewhere" } });
    const first = await open(1);
    await open(2, other);

    await expect(journal.close(first.record, outcome("late"))).rejects.toThrow(SupersededError);
  });

  test("refuses it also when the folder had long been the same", async () => {
    await begin("run_2", 1);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(folder, longAgo, longAgo);
    await step("run_2", 2);
    const first = await open(1);
    await open(2, make({ owner: { pid: 1, started: "1", host: "elsewhere" } }));

    await expect(journal.close(first.record, outcome("late"))).rejects.toThrow(SupersededError);
  });

  test("refuses it also when that one has died since, and was settled by a third", async () => {
    const [dead, third] = [await ofTheDead(), make()];
    await journal.executions();
    const first = await open(1);
    await open(2, dead);
    for (const left of await third.abandoned()) await third.settled(left);

    await expect(journal.close(first.record, outcome("late"))).rejects.toThrow(SupersededError);
  });

  test("finds and keeps what a living one has written", async () => {
    const other = make({ owner: { pid: 1, started: "1", host: "elsewhere" } });
    await step("run_2", 1, other);

    expect((await again("run_2", 1)).recorded).toEqual(outcome(1));
    await journal.forget("run_2");
    expect(await journal.abandoned()).toEqual([]);
    expect(files()).toHaveLength(1);
  });

  test("leaves alone what this process itself has begun", async () => {
    await open(1);

    expect(await make().abandoned()).toEqual([]);
  });

  test("finds what a dead one left, by run, once", async () => {
    const dead = await ofTheDead();
    await step("run_2", 7, dead);
    await begin("run_2", 8, dead);
    await begin("run_3", 9, dead);
    appendFileSync(join(folder, files()[0] ?? ""), '{"run_id":"run_2","key":{"execution":"run_2","workf');

    const [left, ...others] = await journal.abandoned();

    expect(others).toEqual([]);
    expect(left?.executions.map(({ run_id, steps }) => [run_id, steps])).toEqual([
      ["run_2", ["run_2-7", "run_2-8"]],
      ["run_3", ["run_3-9"]],
    ]);
    const operations = left?.executions.flatMap((execution) => execution.operations) ?? [];
    expect(operations.map(({ open, recorded }) => [open.key.activity_id, recorded !== undefined])).toEqual([
      ["7", true],
      ["8", false],
      ["9", false],
    ]);

    await journal.settled(left!);
    expect(await journal.abandoned()).toEqual([]);
    expect((await again("run_2", 7)).recorded).toEqual(outcome(7));
    expect((await again("run_3", 9)).lost).toHaveLength(1);
  });

  test("finds a lost attempt also while the dead one's file is being put aside", async () => {
    for (let i = 0; i < 20; i++) {
      const run = `run_${i}`;
      await begin(run, 1, await ofTheDead());
      const [left] = await journal.abandoned();
      const [opening] = await Promise.all([again(run, 1), left && journal.settled(left)]);

      expect(opening.lost).toHaveLength(1);
      await journal.forget(run);
      journal = make();
    }
  });
});

describe("a journal's files", () => {
  beforeEach(() => {
    journal = make({ segmentBytes: 1_000 });
  });

  test("are begun anew when they are full, and all are looked through", async () => {
    for (let i = 0; i < 20; i++) await step(RUN, i);

    expect(files().length).toBeGreaterThan(3);
    for (const file of files()) expect(statSync(join(folder, file)).size).toBeLessThan(1_500);
    for (let i = 0; i < 20; i++) expect((await again(RUN, i)).recorded).toEqual(outcome(i));
  });

  test("go with the last run that they tell of", async () => {
    await begin("run_waits", 1);
    for (let i = 0; i < 20; i++) await step(`run_${i}`, 1);
    const [first] = files();

    for (let i = 0; i < 20; i++) await journal.forget(`run_${i}`);
    expect(files()).toEqual([first]);
    expect((await again("run_waits", 1)).lost).toHaveLength(1);

    await journal.forget("run_waits");
    expect(files()).toEqual([]);
    await step(RUN, 1);
    expect((await again(RUN, 1)).recorded).toEqual(outcome(1));
  });

  test("hold an outcome until its own run is forgotten, though the run began in an earlier one", async () => {
    const { record } = await begin(RUN, 1);
    for (let i = 0; i < 4; i++) await step("run_2", i);
    await journal.close(record, outcome("kept"));
    await journal.forget("run_2");

    expect((await again(RUN, 1)).recorded).toEqual(outcome("kept"));
  });

  test("are not held by what ends after its run was forgotten", async () => {
    const { record } = await begin(RUN, 1);
    await journal.forget(RUN);
    await journal.close(record, outcome("late"));

    expect(files()).toEqual([]);
  });

  test("of a dead process are one: an outcome in a later file is that of its beginning", async () => {
    const dead = await ofTheDead(1_000);
    const { record } = await begin(RUN, 1, dead);
    for (let i = 0; i < 10; i++) await step("run_2", i, dead);
    await dead.close(record, outcome("later"));
    await begin(RUN, 2, dead);

    const [left] = await journal.abandoned();
    expect(left?.stems.length).toBeGreaterThan(2);
    const operations = left?.executions.find(({ run_id }) => run_id === RUN)?.operations;
    expect(operations?.map(({ recorded }) => recorded)).toEqual([outcome("later"), undefined]);
  });

  test("of a process that died as it put others aside are settled by the next one", async () => {
    const dead = await ofTheDead(1_000);
    for (let i = 0; i < 10; i++) await step(RUN, i, dead);
    const [left] = await journal.abandoned();
    const [first = "", ...others] = left?.stems ?? [];
    await journal.settled({ ...left!, stems: [first] });

    const next = make();
    const [rest] = await next.abandoned();
    expect(rest?.stems).toEqual(others);
    await next.settled(rest!);

    expect(files().every((file) => file.endsWith(".settled.jsonl"))).toBe(true);
    for (let i = 0; i < 10; i++) expect((await again(RUN, i, next)).recorded).toEqual(outcome(i));
  });

  test("of dead processes go, settled or not, as their runs are forgotten", async () => {
    const [settled, unsettled] = [await ofTheDead(), await ofTheDead()];
    await step("run_2", 1, settled);
    for (const left of await journal.abandoned()) await journal.settled(left);
    await step("run_2", 2, unsettled);
    await step("run_3", 1, unsettled);
    const next = make();
    expect(await next.executions()).toEqual(
      new Map([
        ["run_2", "run_2"],
        ["run_3", "run_3"],
      ]),
    );

    await next.forget("run_2");
    const [left] = await next.abandoned();
    expect(left?.executions.map(({ run_id }) => run_id)).toEqual(["run_3"]);
    await next.forget("run_3");
    await next.settled(left!);

    expect(files()).toEqual([]);
  });

  test("cost nothing to forget: hundreds of runs are within a second", async () => {
    journal = make();
    for (let i = 0; i < 300; i++) await step(`run_${i}`, 1);
    const began = performance.now();
    for (let i = 0; i < 300; i++) await journal.forget(`run_${i}`);

    expect(performance.now() - began).toBeLessThan(1000);
    expect(files()).toEqual([]);
  });
});
