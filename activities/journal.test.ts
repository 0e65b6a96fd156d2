import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Journal, type JournalKey, SupersededError } from "./journal.js";

const RUN = "run_1";
const key: JournalKey = { workflow_id: RUN, execution: "e-1", activity_id: "7" };
const outcome = (value: unknown) => ({ outcome: { value, started_at: "s", completed_at: "c", lost: [] } });

let folder: string;
let journal: Journal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longhaul-journal-"));
  journal = new Journal(folder);
});

afterEach(async () => {
  await journal.stop();
  rmSync(folder, { recursive: true, force: true });
});

const open = (attempt: number, by = journal) => by.open(RUN, `${RUN}-3`, key, attempt, "dG9rZW4=");

/** What the file would be called had a process written it that is dead by now. */
async function dieNow(): Promise<string> {
  await journal.stop();
  const child = spawn("true", { stdio: "ignore" });
  await new Promise((done) => child.once("exit", done));
  const [name = ""] = readdirSync(join(folder, RUN));
  const dead = join(folder, RUN, `${child.pid}-1.jsonl`);
  renameSync(join(folder, RUN, name), dead);
  const text = readFileSync(dead, "utf8").replaceAll(
    /"owner":\{"pid":\d+,"started":"[^"]*"/g,
    `"owner":{"pid":${child.pid},"started":"1"`,
  );
  writeFileSync(dead, text);
  journal = new Journal(folder);
  return dead;
}

describe("journal", () => {
  test("finds a lost attempt also while the dead worker's file is being put aside", async () => {
    for (let i = 0; i < 20; i++) {
      await open(1);
      await dieNow();
      const [file] = await journal.abandoned();
      const [opening] = await Promise.all([open(2), file && journal.settled(file)]);

      expect(opening.lost).toHaveLength(1);
      await journal.forget(RUN);
      journal = new Journal(folder);
    }
  });

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

  test("refuses it also when another process began the later attempt", async () => {
    const first = await open(1);
    const other = new Journal(folder);
    Object.assign(other, { owner: { pid: 1, started: "1", host: "elsewhere" } });
    await open(2, other);

    await expect(journal.close(first.record, outcome("late"))).rejects.toThrow(SupersededError);
    await other.stop();
  });

  test("keeps activities apart by Temporal run id", async () => {
    const first = await open(1);
    await journal.close(first.record, outcome(1));

    const reset = await journal.open(RUN, `${RUN}-3`, { ...key, execution: "e-2" }, 2, "");

    expect(reset.recorded).toBeUndefined();
  });

  test("finds what a dead process left, once", async () => {
    const done = await open(1);
    await journal.close(done.record, outcome("kept"));
    await journal.open(RUN, `${RUN}-4`, { ...key, activity_id: "8" }, 1, "");
    appendFileSync(await dieNow(), '{"kind":"close","key":{"workf');

    const [file, ...others] = await journal.abandoned();

    expect(others).toEqual([]);
    expect(file?.operations.map(({ open, recorded }) => [open.key.activity_id, recorded !== undefined])).toEqual([
      ["7", true],
      ["8", false],
    ]);

    await journal.settled(file!);
    expect(await journal.abandoned()).toEqual([]);
    expect((await open(2)).recorded).toEqual(outcome("kept"));
  });

  test("leaves alone what living processes have begun", async () => {
    await open(1);

    expect(await new Journal(folder).abandoned()).toEqual([]);
  });

  test("forgets a run", async () => {
    await open(1);
    await journal.forget(RUN);

    expect(readdirSync(folder)).toEqual([]);
  });

  test("has no place outside its folder", async () => {
    await expect(journal.open("../up", "s", key, 1, "")).rejects.toThrow();
  });

  test("costs little: a hundred steps are opened and closed within a second", async () => {
    const began = performance.now();
    for (let i = 0; i < 100; i++) {
      const { record } = await journal.open(RUN, "s", { ...key, activity_id: String(i) }, 1, "");
      await journal.close(record, outcome(i));
    }

    expect(performance.now() - began).toBeLessThan(1000);
  });
});
