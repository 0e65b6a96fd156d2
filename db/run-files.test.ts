import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testFolder } from "../test/support/stack.js";
import * as told from "../test/support/told-run.js";
import type { Database } from "./database.js";
import { readEventFile } from "./event-file.js";
import { applyFacts } from "./projection.js";
import { writeRunFiles } from "./run-files.js";
import { appendRunFile, runFolder, stepFolderName, writeRunFile } from "./run-folder.js";
import { runs } from "./schema.js";

let db: Database;
let close: () => Promise<void>;
const project = testFolder();

beforeAll(async () => {
  ({ db, close } = await told.preparedDatabase());
});

afterAll(() => close());

describe("the files of a run", () => {
  test("are written as it goes on", async () => {
    const facts = await begin("run_a");
    for (const part of [facts.slice(0, 6), facts.slice(6, 12), facts.slice(12)]) {
      await applyFacts(db, "run_a", "e1", part);
      await writeRunFiles(db, "run_a", part);
    }
    const folder = runFolder(project, "run_a");

    expect((await readdir(folder)).sort()).toEqual([
      "args.json",
      "checkpoints",
      "definition.json",
      "events.jsonl",
      "logs",
      "metadata.json",
    ]);
    expect(await json("run_a", "args.json")).toEqual({ issue: 7 });
    expect(await json("run_a", "metadata.json")).toMatchObject({
      run_id: "run_a",
      status: "completed",
      workflow: { name: "deliver" },
    });
    expect((await readdir(join(folder, "logs"))).sort()).toEqual([
      "001-test",
      "002-implement",
      "003-review",
      "004-publish",
      "execution.log",
    ]);
    expect((await readdir(join(folder, "logs/002-implement"))).sort()).toEqual([
      "events.jsonl",
      "input.json",
      "output.json",
      "summary.md",
    ]);
    expect(await json("run_a", "logs/002-implement/output.json")).toEqual({ text: "done" });
    expect(await json("run_a", "checkpoints/step-1.json")).toMatchObject({
      execution_id: "run_a",
      timestamp: told.second(7),
      current_phase: "plan",
      current_step_index: 1,
      completed_step_ids: ["test"],
      step_results: { test: { stepId: "test", status: "completed", data: { text: "done" } } },
    });
    expect((await readEventFile(project, "run_a"))?.map(({ seq }) => seq)).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
  });

  test("tell people what happened", async () => {
    const log = await readFile(join(runFolder(project, "run_a"), "logs/execution.log"), "utf8");
    const summary = await readFile(join(runFolder(project, "run_a"), "logs/002-implement/summary.md"), "utf8");

    expect(log).toContain(
      "2025-01-25T10:00:04.000Z INFO  Step 1 (test) started.\n2025-01-25T10:00:05.000Z INFO  looking around\n",
    );
    expect(log).toContain("WARN  Step 2 (implement): attempt 1 failed and is tried again: Attempt 1 exited with code 1");
    expect(log.match(/two tests were skipped/g)).toHaveLength(1);
    expect(log.trimEnd().endsWith("The run is completed.")).toBe(true);
    expect(summary).toContain("# 2. implement\n\nagent, completed");
    expect(summary).toContain("1. failed: Attempt 1 exited with code 1\n2. completed");
    expect(summary).toContain("- Edit: 1");
  });

  test("are made good by a later call when an earlier one was lost", async () => {
    const facts = await begin("run_b");
    await applyFacts(db, "run_b", "e1", facts);
    await writeRunFiles(db, "run_b", []);

    expect(existsSync(join(runFolder(project, "run_b"), "logs/001-test/output.json"))).toBe(true);
    expect(existsSync(join(runFolder(project, "run_b"), "checkpoints/step-1.json"))).toBe(true);
  });

  test("are written once by calls that come together", async () => {
    const facts = await begin("run_c");
    await applyFacts(db, "run_c", "e1", facts);
    await Promise.all([writeRunFiles(db, "run_c", facts), writeRunFiles(db, "run_c", facts), writeRunFiles(db, "run_c", [])]);
    const text = await readFile(join(runFolder(project, "run_c"), "events.jsonl"), "utf8");

    expect(text.trimEnd().split("\n")).toHaveLength(22);
  });
});

describe("a run's folder", () => {
  test("is not left through a symbolic link", async () => {
    const outside = testFolder();
    const folder = runFolder(project, "run_l");
    await mkdir(folder, { recursive: true });
    await symlink(outside, join(folder, "logs"));

    await expect(writeRunFile(project, "run_l", "logs/execution.log", "x")).rejects.toThrow(
      "must be a folder, and no link to one",
    );
    await expect(appendRunFile(project, "run_l", "logs/execution.log", "x")).rejects.toThrow(
      "must be a folder, and no link to one",
    );
    await rm(join(folder, "logs"));
    await symlink(join(outside, "file"), join(folder, "late.jsonl"));
    await expect(appendRunFile(project, "run_l", "late.jsonl", "x")).rejects.toThrow();
    await writeRunFile(project, "run_l", "late.jsonl", "a file of its own");

    expect(await readdir(outside)).toEqual([]);
  });

  test.each(["../x", "a/../../x", "/etc/x", "", "a//b"])("has no place for %j", async (path) => {
    await expect(writeRunFile(project, "run_l", path, "x")).rejects.toThrow("is not a path inside a run's folder");
  });

  test.each([
    [{ number: 7, key: "run tests" }, "007-run-tests"],
    [{ number: 1234, key: "../../etc/passwd" }, "1234-etc-passwd"],
    [{ number: 1, key: "日本" }, "001-step"],
    [{ number: 2, key: "Überprüfung" }, "002-Uberprufung"],
  ])("holds the logs of step %j in %s", (step, name) => {
    expect(stepFolderName(step)).toBe(name);
  });
});

async function begin(runId: string) {
  const [first, ...rest] = told.eventfulRun(runId, "e1");
  if (first?.type !== "run.created") throw new Error("A run begins with its creation.");
  const facts = [{ ...first, run: { ...first.run, project_path: project } }, ...rest];
  await applyFacts(db, runId, "e1", facts.slice(0, 1));
  await writeRunFiles(db, runId, facts.slice(0, 1));
  expect(await db.orm.select({ status: runs.status }).from(runs).where(eq(runs.id, runId))).toEqual([{ status: "pending" }]);
  return facts;
}

async function json(runId: string, path: string): Promise<unknown> {
  return JSON.parse(await readFile(join(runFolder(project, runId), path), "utf8"));
}
